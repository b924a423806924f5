"""Measurements of a cluster on this machine; see tools/bench --help."""
