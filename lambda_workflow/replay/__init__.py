"""Verbs: `replay(workflow, history) -> Decision`, a pure function of its arguments."""
