"""Failures that come at each delivery, and those that may pass.

Law: a message is moved aside only for what its next delivery would meet again. What the network, a
full table, another worker or a deployment is to blame for is redelivered until the queue gives up.
"""

from __future__ import annotations

from lambda_workflow.errors import WorkflowError
from lambda_workflow.model.turn import NotARecord
from lambda_workflow.ports import Unprocessable


def is_deterministic(error: BaseException) -> bool:
    """Whether a message that failed by this fails the same way each time.

    What this package raises on purpose says so by its class; AWS's refusals by an attribute. What
    it did not raise, such as a TypeError, comes of the message's content.
    """
    if isinstance(error, Unprocessable | NotARecord):
        return True
    if isinstance(error, WorkflowError):
        return bool(getattr(error, "is_deterministic", False))
    return isinstance(error, Exception) and not isinstance(error, OSError | MemoryError)
