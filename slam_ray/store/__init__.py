"""What is kept, and under which identity? Steps, artifacts, the storage that holds them, and runs; no Ray."""
