"""One suite for each port, run over every backend."""
