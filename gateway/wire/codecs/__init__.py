"""Foreign payload formats, one a file."""
