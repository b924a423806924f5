"""The demonstration at the end of deploy/quickstart."""
