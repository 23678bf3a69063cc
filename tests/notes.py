"""An observer that remembers."""

from __future__ import annotations

from lambda_workflow.ports import Happening


class Notes:
    """What the workers told their observer, in order."""

    def __init__(self) -> None:
        self.happenings: list[Happening] = []

    def notify(self, happening: Happening) -> None:
        """Take note."""
        self.happenings.append(happening)

    def of(self, kind: str) -> list[Happening]:
        """What was noted of a kind."""
        return [one for one in self.happenings if one.kind == kind]
