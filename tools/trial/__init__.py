"""Trials: a cluster under faults, clients that use it, and the judge of what they saw."""
