"""All tests of Muster; tests/run runs them."""
