"""The simulation: workflows under every fault that the platform allows, decided by a seed.

`simulate(seed)` runs one; `python -m lambda_workflow.testing.simulation` runs thousands.
"""
