"""Why a value does not fit its type, and where in it: gathered from the inside out."""

from __future__ import annotations

import re
from reprlib import Repr
from typing import Final

_SHOWN_CHARACTERS_MAX: Final = 60  # enough to recognise a value, too little to flood a log

_ADDRESS: Final = re.compile(r" at 0x[0-9a-fA-F]+")  # differs on replay, and says nothing
_repr: Final = Repr()
_repr.maxstring = _repr.maxother = _repr.maxlong = _SHOWN_CHARACTERS_MAX


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
        """The message: `order.items[3].price: found str 'abc', allowed int`."""
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


def shown(value: object) -> str:
    """A value for a reader: its type, and the value itself cut short."""
    return (
        "None" if value is None else f"{type(value).__name__} {_ADDRESS.sub('', _repr.repr(value))}"
    )


def at_key(key: object) -> str:
    """The path's step into a mapping: `['EUR']`."""
    return f"[{_repr.repr(key)}]"
