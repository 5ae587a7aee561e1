"""Primitives, each with its source; the only door to nacl."""
