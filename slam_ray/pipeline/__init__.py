"""How do steps run, resume, share? Steps and their artifacts, storage, stages, and the run's hold on Ray."""
