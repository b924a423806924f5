"""Checks of the sources; each has a test that shows that it can fail."""
