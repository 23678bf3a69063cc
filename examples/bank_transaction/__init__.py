"""Two checks in parallel, then the transaction."""
