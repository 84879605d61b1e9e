"""What did we learn? The figures, the page and the table that a run ends with."""
