"""One node, whole, without input or output."""
