"""A virtual machine for tests that need a kernel of their own."""
