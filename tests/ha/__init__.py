"""Redundancy groups on real processes."""
