"""Waits that take days and cost nothing."""
