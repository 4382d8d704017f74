"""Functions over windows of readings, one a file."""
