"""The control socket, and what its requests do."""
