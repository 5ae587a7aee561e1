"""The demonstration: one dispatch with a photograph, there and back, on this machine."""
