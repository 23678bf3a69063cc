"""Why a value does not fit its type, and where in it: gathered from the inside out."""

from __future__ import annotations

from lambda_workflow.model.payload_shown import shown


class Refused(Exception):
    """Raised at the offending value; every level on the way out adds its step to the path.

    Stays inside the codec, which turns it into an EncodeError or a DecodeError.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self._steps: list[str] = []

    def inside(self, step: str) -> Refused:
        """Put a step such as `.price` or `[3]` before the path; return itself, to be raised."""
        self._steps.append(step)
        return self

    def told(self, where: str) -> str:
        """The message: `order.items[3].price: found str of 3, allowed int`."""
        return f"{where}{''.join(reversed(self._steps))}: {self.reason()}"

    def reason(self) -> str:
        """The message without the path."""
        return str(self.args[0])


class Mismatch(Refused):
    """Another value than allowed. Puts it into words only when asked: unions try and move on."""

    def __init__(self, found: object, allowed: str) -> None:
        super().__init__(allowed)
        self._found = found

    def reason(self) -> str:
        """What was found and what is allowed."""
        return f"found {shown(self._found)}, allowed {self.args[0]}"
