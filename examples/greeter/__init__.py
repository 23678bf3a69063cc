"""Two parallel calls of one service."""
