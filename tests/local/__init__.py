"""The embedded engine and its SQLite file."""
