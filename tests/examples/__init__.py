"""The examples run, on the embedded engine."""
