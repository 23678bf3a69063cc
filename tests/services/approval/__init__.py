"""The page of approvals: its requests, its decisions, and a real browser before it."""
