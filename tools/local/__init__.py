"""A cluster on one machine: the modules of tools/cluster."""
