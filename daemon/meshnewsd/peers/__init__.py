"""Streams to neighbours, and who is dialled."""
