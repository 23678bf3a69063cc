"""What hides secrets in everything that leaves the service.

A server may write a value as its own encoder does, and no two encoders escape the same characters.
So each character that any of them escapes is looked for in all of its spellings, in any mixture.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from html.entities import codepoint2name
from typing import Any, Final

HIDDEN: Final = "[secret]"
SECRET_CHARACTERS_MIN: Final = 4  # hiding each "a" of a response would leave nothing of it

_NEVER_ESCAPED: Final = re.compile(r"[A-Za-z0-9_-]")
_SHORT: Final = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}  # after a backslash


class Redactor:
    """Replaces secrets, also where they are written as a URL, JSON, HTML or base64 has them."""

    def __init__(self, values: Iterable[str]) -> None:
        hidden = {value for value in values if len(value) >= SECRET_CHARACTERS_MIN}
        longest_first = sorted(hidden, key=lambda value: (-len(value), value))
        self._pattern = "|".join(form for value in longest_first for form in _forms(value))
        self._text = re.compile(self._pattern) if hidden else None

    def text(self, text: str) -> str:
        """The text with its secrets hidden."""
        return text if self._text is None else self._text.sub(HIDDEN, text)

    def content(self, content: bytes) -> bytes:
        """The bytes with their secrets hidden."""
        if self._text is None:
            return content
        return re.sub(self._pattern.encode(), HIDDEN.encode(), content)

    def json(self, value: Any) -> Any:
        """A JSON value with the secrets in its texts and names hidden."""
        if self._text is None:
            return value
        match value:
            case str():
                return self.text(value)
            case list():
                return [self.json(item) for item in value]
            case dict():
                return {self.text(name): self.json(item) for name, item in value.items()}
            case int() | float() if self._text.search(json.dumps(value)):
                return HIDDEN
            case _:
                return value


def _forms(value: str) -> Iterator[str]:
    """Patterns of what a value may be written as."""
    encoded = value.encode()
    yield from (encoded.hex(), encoded.hex().upper())
    for code in (base64.b64encode(encoded), base64.urlsafe_b64encode(encoded)):
        yield f"{re.escape(code.decode().rstrip('='))}={{0,2}}"
    yield "".join(
        sign if _NEVER_ESCAPED.fullmatch(sign) else f"(?:{'|'.join(_spellings(sign))})"
        for sign in value
    )


def _spellings(sign: str) -> Iterator[str]:
    """Patterns of a character: itself, in a URL, as text in quotes, in HTML."""
    number, encoded, units = ord(sign), sign.encode(), sign.encode("utf-16-be").hex()
    yield re.escape(sign)
    if not sign.isascii():
        yield re.escape(encoded.decode("latin-1"))  # as the bytes of a header are read
    if sign == " ":
        yield r"\+"
    yield rf"\\{re.escape(_SHORT.get(sign, sign))}"
    numbers = (
        "".join(f"%{byte:02x}" for byte in encoded),
        "".join(rf"\\x{byte:02x}" for byte in encoded),
        "".join(rf"\\u{units[at : at + 4]}" for at in range(0, len(units), 4)),
        f"&#(?:0*{number}|x0*{number:x});",
    )
    yield f"(?i:{'|'.join(numbers)})"
    if name := "apos" if sign == "'" else codepoint2name.get(number):
        yield f"&{name};"
