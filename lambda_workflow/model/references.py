"""References to large payloads: which execution owns one, and what its content must be.

Laws
 1. A key is `PLACE/OWNER/DIGEST`: the place says which role writes there, the owner is a digest of
    the execution's id, and the digest is the SHA-256 of the content. So a key belongs to one
    execution and names one content.
 2. A message may refer to what its own execution owns. The answer of a child may refer to what that
    child owns, too; only the parent's history knows which child that is (`is_answer_owned`).
 3. Keys of earlier versions, `OWNER/DIGEST` with digests of 64 or 128 bits, are read and checked in
    the same way; none is written. The start of a child referred to what its parent owned.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from lambda_workflow.errors import MessageError
from lambda_workflow.model.commands import Opening, StartChild
from lambda_workflow.model.events import BlobRef
from lambda_workflow.model.messages import Message, Request, Signal, Task, Update, UpdateRequest
from lambda_workflow.model.payload import fingerprint, loads

WORKFLOW_PLACE: Final = "workflow"  # what turns store
CLIENT_PLACE: Final = "client"  # what those store who start executions and talk to them
SERVICE_PLACE: Final = "service"  # followed by the service's name: what its adapter stores
_OWNER_BYTES: Final = 16
_EARLIER_OWNER_BYTES: Final = 8
_PLACES: Final = "workflow|client|service/[A-Za-z0-9_-]{1,64}"
_KEY: Final = re.compile(rf"(?:{_PLACES})/([0-9a-f]{{32}})/[0-9a-f]{{64}}")
_EARLIER_KEY: Final = re.compile(r"([0-9a-f]{16})/[0-9a-f]{16}(?:[0-9a-f]{16})?")


def service_place(service: str) -> str:
    """Where the adapter of a service stores large results."""
    return f"{SERVICE_PLACE}/{service}"


def key_of(place: str, execution_id: str, content: bytes) -> str:
    """The key of content that belongs to an execution."""
    return f"{place}/{_digest(execution_id, _OWNER_BYTES)}/{hashlib.sha256(content).hexdigest()}"


def is_owned(key: str, execution_id: str) -> bool:
    """Whether a key belongs to an execution."""
    if found := _KEY.fullmatch(key):
        return found[1] == _digest(execution_id, _OWNER_BYTES)
    found = _EARLIER_KEY.fullmatch(key)
    return found is not None and found[1] == _digest(execution_id, _EARLIER_OWNER_BYTES)


def is_content(key: str, content: bytes) -> bool:
    """Whether this is the content that a key names."""
    digest = key.rpartition("/")[2]
    match len(digest):
        case 64:
            return hashlib.sha256(content).hexdigest() == digest
        case 32:  # a record of an earlier version
            return hashlib.blake2b(content, digest_size=16).hexdigest() == digest
        case _:  # a payload of an earlier version, or a key that names nothing
            try:
                return fingerprint(loads(content)) == digest
            except ValueError:
                return False


def check_message(message: Message) -> None:
    """Refuse a message that refers to what another execution owns, as far as it shows by itself.

    Raises:
        MessageError: it does; the message names the field and the key.
    """
    match message:
        case Request(request=BlobRef(key=key)):
            if not is_owned(key, message.execution_id) and not _is_of_earlier_parent(message, key):
                raise MessageError(stray(message.execution_id, "request_ref", key))
        case Signal(payload=BlobRef(key=key)) | UpdateRequest(payload=BlobRef(key=key)):
            if not is_owned(key, message.execution_id):
                raise MessageError(stray(message.execution_id, "payload_ref", key))
        case _:
            pass


def check_task(task: Task) -> None:
    """Refuse a task whose payload belongs to another execution.

    Raises:
        MessageError: it does.
    """
    ref = task.payload
    if isinstance(ref, BlobRef) and not is_owned(ref.key, task.execution_id):
        raise MessageError(stray(task.execution_id, "payload_ref", ref.key))


def is_answer_owned(update: Update, opened: Opening | None) -> bool:
    """Whether an answer refers to what its execution owns, or the child that the answer is of."""
    ref = update.payload
    if not isinstance(ref, BlobRef) or is_owned(ref.key, update.execution_id):
        return True
    return isinstance(opened, StartChild) and is_owned(ref.key, opened.child)


def stray(execution_id: str, field: str, key: str) -> str:
    """What is wrong with a reference."""
    return (
        f"`{field}` of a message to execution {execution_id} has the key {key!r}, which does not "
        "belong to that execution: a message may refer only to a payload that was stored for its "
        "own execution, under PLACE/OWNER/SHA-256 (docs/aws.md, large payloads)"
    )


def _is_of_earlier_parent(message: Request, key: str) -> bool:
    """Whether an earlier version sent it, which let a child read what its parent had stored."""
    if not _EARLIER_KEY.fullmatch(key):
        return False
    return message.callback is None or is_owned(key, message.callback.execution_id)


def _digest(text: str, size: int) -> str:
    return hashlib.blake2b(text.encode(), digest_size=size).hexdigest()
