"""Ways for bytes to cross: one file each."""
