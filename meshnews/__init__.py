"""The library: protocol, cryptography and policy.  Values in, effects out."""
