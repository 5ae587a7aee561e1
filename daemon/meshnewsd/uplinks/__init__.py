"""Ways to a collector on the internet, each a file, and drops where it is never met."""
