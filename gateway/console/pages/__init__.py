"""The pages, one a file; each is a function that builds it for one visitor."""
