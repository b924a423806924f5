"""Trials of a cluster under faults, and the judge of their histories."""
