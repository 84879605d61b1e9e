"""What is a model to us? References by content, families, loading, freezing, and assembling a tuned checkpoint."""
