"""The one exception for what a user can mend: a job prints its message alone and exits with code 2."""


class InputError(ValueError):
    """Bad input: a file, line, key or language that is wrong, and what would be right."""
