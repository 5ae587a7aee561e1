"""The stores on disk; the only door to apsw."""
