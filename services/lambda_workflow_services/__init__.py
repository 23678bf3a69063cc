"""Ready-made service adapters: a package for each, whose `__init__` is the contract."""
