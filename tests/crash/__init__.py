"""What a power cut, or a bit that flips, leaves of a node: it starts right, or says so."""
