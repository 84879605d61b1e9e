"""SLAM (arXiv 2501.03681) on Ray: find the layers that handle the input language, tune only their FFNs, measure."""
