"""SLAM, and later every system it is compared with, as stages over the other rooms."""
