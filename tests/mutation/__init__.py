"""Changes to the code that a test has to notice."""
