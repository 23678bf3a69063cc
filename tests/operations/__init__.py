"""What authors may rely on, tested alike on every host: memory, SQLite, AWS."""
