"""Ways to come upon neighbours: one file each."""
