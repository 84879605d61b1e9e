"""The embedded default: how its problems, its tokenizer and its base model were made. Jobs read only the files."""
