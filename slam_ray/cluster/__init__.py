"""What is our hold on Ray? Connecting to it, workers and room for them, waiting for what ends, and shared paths."""
