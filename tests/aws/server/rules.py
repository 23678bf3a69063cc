"""What SQS and DynamoDB enforce and moto does not.

1. A FIFO queue remembers a deduplication id for five minutes, also when its message is deleted;
   with the scope `messageGroup` for each group. A move to the dead-letter queue is no new send.
2. Sequence numbers grow.
3. Group and deduplication ids have 1 to 128 letters, digits and punctuation; a FIFO message has a
   group.
4. A receipt handle is good until the next receive: a stale one deletes nothing. On a FIFO queue it
   is refused once the visibility has expired, too.
5. The visibility of a message that is not in flight cannot be changed.
6. A FIFO group whose messages come again comes from its oldest one on. (moto takes a group for
   locked until it has met the last message whose visibility has expired, and begins with that.)
7. A BatchWriteItem has 25 requests at most; an item has 400 KB at most.
"""

from __future__ import annotations

import inspect
import itertools
import string
from collections.abc import Mapping
from typing import Any, Final

from moto.core.utils import unix_time
from moto.sqs.exceptions import (
    InvalidParameterValue,
    MissingParameter,
    ReceiptHandleIsInvalid,
    SQSException,
)
from moto.sqs.models import Message, Queue, SQSBackend

from tests.aws.server.units import item_bytes

DEDUPLICATION_SECONDS: Final = 300
ID_CHARACTERS_MAX: Final = 128
BATCH_WRITES_MAX: Final = 25
ITEM_BYTES_MAX: Final = 400 * 1024
ID_CHARACTERS: Final = frozenset(string.ascii_letters + string.digits + string.punctuation)

_sequence = itertools.count(10**19)
_moto_add = Queue.add_message
_moto_delete = Queue.delete_message
_moto_change = SQSBackend.change_message_visibility
_moto_receive = SQSBackend.receive_message
_moto_validate = SQSBackend._validate_message
_validate_signature = inspect.signature(_moto_validate)


def install() -> None:
    """Put the rules in the place of moto's."""
    for owner, name, rule in (
        (Queue, "add_message", _add_message),
        (Queue, "delete_message", _delete_message),
        (SQSBackend, "delete_message_batch", _delete_message_batch),
        (SQSBackend, "change_message_visibility", _change_message_visibility),
        (SQSBackend, "receive_message", _receive_message),
        (SQSBackend, "_validate_message", _validate_message),
    ):
        setattr(owner, name, rule)


def refusal(operation: str, params: Mapping[str, Any]) -> str:
    """Why DynamoDB refuses a request that moto takes; empty if it does not."""
    if operation == "BatchWriteItem":
        writes = [write for table in params["RequestItems"].values() for write in table]
        if len(writes) > BATCH_WRITES_MAX:
            return "Too many items requested for the BatchWriteItem call"
        puts = [write["PutRequest"]["Item"] for write in writes if "PutRequest" in write]
    else:
        puts = [params["Item"]] if operation == "PutItem" else []
    if any(item_bytes(item) > ITEM_BYTES_MAX for item in puts):
        return "Item size has exceeded the maximum allowed size"
    return ""


def _add_message(queue: Queue, message: Message) -> None:
    is_moved = message.approximate_receive_count > 0
    if queue.fifo_queue:
        if not is_moved and _is_repeated(queue, message):
            return
        message.sequence_number = str(next(_sequence))
    _append(queue, message)


def _append(queue: Queue, message: Message) -> None:
    with queue._messages_lock:
        queue._messages.append(message)


def _is_repeated(queue: Queue, message: Message) -> bool:
    seen: dict[tuple[str, str], float] = queue.__dict__.setdefault("_seen", {})
    now = unix_time()
    for key in [key for key, at in seen.items() if now - at >= DEDUPLICATION_SECONDS]:
        del seen[key]
    scope = message.group_id if queue.attributes["DeduplicationScope"] == "messageGroup" else ""
    key = (scope or "", message.deduplication_id or "")
    if key in seen:
        return True
    seen[key] = now
    return False


def _delete_message(queue: Queue, receipt_handle: str) -> None:
    found = [m for m in queue._messages if m.had_receipt_handle(receipt_handle)]
    if found:
        (message,) = found
        is_stale = message.receipt_handle != receipt_handle
        if queue.fifo_queue and (is_stale or message.visible):
            raise _expired(receipt_handle)
        if is_stale:
            return
    _moto_delete(queue, receipt_handle)


def _delete_message_batch(
    backend: SQSBackend, queue_name: str, receipts: list[dict[str, Any]]
) -> tuple[list[str], list[dict[str, Any]]]:
    done: list[str] = []
    failed: list[dict[str, Any]] = []
    for receipt in receipts:
        try:
            backend.delete_message(queue_name, receipt["ReceiptHandle"])
            done.append(receipt["Id"])
        except SQSException as error:
            fault = {"Id": receipt["Id"], "SenderFault": True}
            failed.append({**fault, "Code": error.code, "Message": error.message})
    return done, failed


def _change_message_visibility(
    backend: SQSBackend, queue_name: str, receipt_handle: str, visibility_timeout: int
) -> None:
    queue = backend.get_queue(queue_name)
    found = [m for m in queue._messages if m.had_receipt_handle(receipt_handle)]
    if not found:
        raise ReceiptHandleIsInvalid()
    (message,) = found
    is_stale = message.receipt_handle != receipt_handle
    if queue.fifo_queue and (is_stale or message.visible):
        raise _expired(receipt_handle)
    if is_stale or message.visible:
        raise SQSException("MessageNotInflight", "The message referred to is not in flight.")
    _moto_change(backend, queue_name, receipt_handle, visibility_timeout)


def _receive_message(
    backend: SQSBackend, queue_name: str, *args: Any, **more: Any
) -> list[Message]:
    pending = backend.get_queue(queue_name).pending_messages
    pending -= {message for message in pending if message.visible}
    return _moto_receive(backend, queue_name, *args, **more)


def _validate_message(*args: Any, **more: Any) -> None:
    given = _validate_signature.bind(*args, **more).arguments
    queue = given["queue"]
    if queue.fifo_queue and given.get("group_id") is None:
        raise MissingParameter("MessageGroupId")
    for field, name in (
        ("group_id", "MessageGroupId"),
        ("deduplication_id", "MessageDeduplicationId"),
    ):
        value = given.get(field)
        if value is not None and not _is_id(value):
            raise InvalidParameterValue(
                f"Value {value} for parameter {name} is invalid. Reason: {name} can only include "
                "alphanumeric and punctuation characters. 1 to 128 in length."
            )
    if len(given["message_body"].encode()) > queue.maximum_message_size:
        raise InvalidParameterValue("One or more parameters are invalid. Reason: too long.")
    _moto_validate(*args, **more)


def _is_id(value: str) -> bool:
    return 0 < len(value) <= ID_CHARACTERS_MAX and set(value) <= ID_CHARACTERS


def _expired(receipt_handle: str) -> InvalidParameterValue:
    return InvalidParameterValue(
        f"Value {receipt_handle} for parameter ReceiptHandle is invalid. "
        "Reason: The receipt handle has expired."
    )
