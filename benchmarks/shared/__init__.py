"""What several benchmarks use: AWS answered in process, and figures."""
