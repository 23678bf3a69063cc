"""What becomes of running executions when their code changes: the page's table, row by row."""
