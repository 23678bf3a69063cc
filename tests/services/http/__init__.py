"""The service `http`, against servers on loopback."""
