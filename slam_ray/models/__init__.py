"""What is a model to us? References by content, families, loading, freezing, and the weights of a tuned one."""
