"""What does a person see in a terminal or a log? Progress of long work, tables."""
