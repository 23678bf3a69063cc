"""What hides secrets in everything that leaves the service."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote, quote_plus

HIDDEN: Final = "[secret]"
SECRET_CHARACTERS_MIN: Final = 4  # hiding each "a" of a response would leave nothing of it


class Redactor:
    """Replaces secrets, also where they are written as a URL, JSON, HTML or base64 has them."""

    def __init__(self, values: Iterable[str]) -> None:
        forms = {form for value in values for form in _forms(value)}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._text = re.compile("|".join(map(re.escape, longest_first))) if forms else None
        encoded = [re.escape(form.encode()) for form in longest_first]
        self._bytes = re.compile(b"|".join(encoded)) if forms else None

    def text(self, text: str) -> str:
        """The text with its secrets hidden."""
        return text if self._text is None else self._text.sub(HIDDEN, text)

    def content(self, content: bytes) -> bytes:
        """The bytes with their secrets hidden."""
        return content if self._bytes is None else self._bytes.sub(HIDDEN.encode(), content)

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


def _forms(value: str) -> set[str]:
    written = json.dumps(value)[1:-1]
    encoded = value.encode()
    return {
        value,
        quote(value),
        quote(value, safe=""),
        quote_plus(value),
        written,
        json.dumps(value, ensure_ascii=False)[1:-1],
        written.replace("/", "\\/"),
        html.escape(value),
        base64.b64encode(encoded).decode(),
        base64.urlsafe_b64encode(encoded).decode(),
        base64.b64encode(encoded).decode().rstrip("="),
        encoded.hex(),
    }
