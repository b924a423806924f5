"""The test runner behind tests/run: stages of programs that report in TAP."""
