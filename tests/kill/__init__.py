"""Nodes killed at random moments while clients chat."""
