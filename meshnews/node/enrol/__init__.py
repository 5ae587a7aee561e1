"""Joining a desk, by files or by invitation, at both ends."""
