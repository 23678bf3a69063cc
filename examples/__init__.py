"""Examples: each a workflow, its services, and a test in tests/examples."""
