"""Canonical msgpack and frames; the only door to msgpack."""
