"""A cluster is upgraded, node by node, to the next version of the program."""
