"""What texts? Reading them, their languages, the prompts they are put into."""
