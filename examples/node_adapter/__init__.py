"""A workflow in Python calls a service whose adapter is written in JavaScript."""
