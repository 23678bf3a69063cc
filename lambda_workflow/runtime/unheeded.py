"""Telling what workflow code left lying: calls and exceptions that nobody looked at."""

from __future__ import annotations

from typing import Any

from lambda_workflow.model.payload_shown import words_of_error
from lambda_workflow.ports import Happening, Observer
from lambda_workflow.replay.bugs import user_frames
from lambda_workflow.replay.places import line_of
from lambda_workflow.runtime.living import Live


def tell_unheeded(live: Live, observer: Observer) -> None:
    """Tell of exceptions as they are lost, and of calls once the execution has ended."""
    execution = live.execution
    if execution is None:
        return

    def tell(kind: str, **fields: Any) -> None:
        observer.notify(Happening(kind, live.history.execution_id, fields=fields))

    for message, error in execution.complaints():
        frames = [] if error is None else user_frames(error)
        fields = {"line": frames[-1][0]} if frames else {}
        words = "" if error is None else words_of_error(error)
        tell("unseen", message=message, error=words, **fields)
    if execution.outcome is None:
        return
    for operation in execution.ledger.unawaited.values():
        tell(
            "unawaited",
            operation=operation.operation,
            name=operation.name,
            line=line_of(operation.site),
        )
