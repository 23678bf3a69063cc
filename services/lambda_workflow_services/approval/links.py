"""Links: their ids, signatures, and the nonce of their forms. Pure.

1. A link is an id and a signature of it. Id and key come from the task and its callback's token,
   so that a repeated task gives the same link, and the execution that replaces another one a new
   link.
2. The key is derived from the callback's token, 144 bits of which nobody can guess: no link can be
   forged, nor be moved to another question.
3. Letters a to z and digits 2 to 7 alone: mail programs cut links at other characters.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Final

_ID_BYTES: Final = 15  # 24 characters
_SIGNATURE_BYTES: Final = 25  # 40 characters
_CODE: Final = re.compile(r"([a-z2-7]{24})([a-z2-7]{40})")


def id_of(task_id: str, token: str) -> str:
    """Under which the question is kept."""
    named = hashlib.sha256(f"{task_id}\n{token}".encode()).digest()
    return _text(named[:_ID_BYTES])


def key_of(token: str) -> str:
    """What links and forms are signed with; says nothing of the token."""
    return hmac.new(token.encode(), b"approval key", hashlib.sha256).hexdigest()


def code_of(id_: str, key: str) -> str:
    """What stands in the URL."""
    return id_ + _signed(key, f"link {id_}")


def nonce_of(id_: str, key: str) -> str:
    """What a form carries to show that it comes from the link's own page."""
    return _signed(key, f"form {id_}")


def read_code(code: str) -> str | None:
    """The id in a code, None if there is none; says nothing of the signature."""
    found = _CODE.fullmatch(code)
    return found and found[1]


def is_same(given: str, expected: str) -> bool:
    """Compare what was signed, in a time that does not tell how much of it is right."""
    return hmac.compare_digest(given.encode(errors="surrogatepass"), expected.encode())


def _signed(key: str, what: str) -> str:
    return _text(hmac.new(key.encode(), what.encode(), hashlib.sha256).digest()[:_SIGNATURE_BYTES])


def _text(data: bytes) -> str:
    return base64.b32encode(data).decode().lower()
