"""Clusters under steady load for long: what they take levels off, and who was away catches up."""
