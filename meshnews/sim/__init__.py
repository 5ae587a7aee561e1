"""A whole mesh in one process, under a clock that is a number."""
