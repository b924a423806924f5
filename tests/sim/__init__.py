"""Clusters on virtual time."""
