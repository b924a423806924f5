"""Programs around a running cluster."""
