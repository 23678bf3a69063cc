"""Other engines, measured in environments of their own; never part of the tests."""
