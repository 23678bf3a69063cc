"""Callback tokens: who holds one may answer that one operation of that one execution.

A token is the task id and a signature of it, keyed by a secret that the execution got when it was
started and that leaves the store for nobody. So a token cannot be guessed, forged, or moved to
another execution, operation or run.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Final

from lambda_workflow.errors import ConfigurationError, InvalidToken
from lambda_workflow.model.ids import check_execution_id, task_id

_SIGNATURE_BYTES: Final = 18  # 144 bits: more than anybody can try


def make_token(secret: str, execution_id: str, operation: str) -> str:
    """The token of a callback: fit for a URL, and begins with a letter, fit for a command line."""
    named = task_id(execution_id, operation).encode()
    return f"{_text(named)}.{_text(_signature(secret, execution_id, operation))}"


def read_token(token: str) -> tuple[str, str]:
    """The execution id and operation that a token is for; says nothing of its signature.

    Raises:
        InvalidToken: this is no token.
    """
    try:
        data = str(token).partition(".")[0].encode("ascii")
        named = base64.urlsafe_b64decode(data + b"=" * (-len(data) % 4)).decode()
    except (UnicodeError, binascii.Error, ValueError):
        named = ""
    execution_id, _, operation = named.rpartition("/")
    try:
        check_execution_id(execution_id)  # strangers name what is looked for in the store
    except ConfigurationError:
        operation = ""
    if not operation:
        raise InvalidToken("this is no callback token: pass `callback.token` as it was given out")
    return execution_id, operation


def is_genuine(token: str, secret: str, execution_id: str, operation: str) -> bool:
    """Whether a token was made with the secret for this very operation."""
    expected = make_token(secret, execution_id, operation)
    given = token.encode(errors="surrogatepass")  # JSON may hold half a character: no token has it
    return bool(secret) and hmac.compare_digest(expected.encode(), given)


def derived_secret(secret: str, operation: str) -> str:
    """The secret of a child: the same however often its start is sent."""
    return _text(_signature(secret, "child", operation)) if secret else ""


def _signature(secret: str, execution_id: str, operation: str) -> bytes:
    named = f"{execution_id}/{operation}".encode()
    key = hashlib.blake2b(secret.encode(), digest_size=32).digest()
    return hashlib.blake2b(named, key=key, digest_size=_SIGNATURE_BYTES).digest()


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
