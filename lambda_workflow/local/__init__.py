"""Host 2: the embedded engine, and all ports over one SQLite file."""
