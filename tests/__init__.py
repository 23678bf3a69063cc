"""All tests. A package, so that no `tests` of an installed distribution can stand in for it."""
