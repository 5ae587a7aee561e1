"""The conversation in which two nodes become alike."""
