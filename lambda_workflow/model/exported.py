"""An exported history: one execution as a JSON document that later versions still read.

Laws
 1. `read_history(write_history(history))` has the same turns.
 2. A turn stands as in the store (see `model.turn`), one to a line, its payloads in place: whoever
    can replay a stored execution can replay an exported one.
 3. What a reader does not know is ignored; a higher `format` is refused.
"""

from __future__ import annotations

from typing import Any, Final

from lambda_workflow.errors import WorkflowError
from lambda_workflow.model.history import History
from lambda_workflow.model.payload import dumps, loads
from lambda_workflow.model.turn import decode_turns, encode_turn

EXPORT_FORMAT: Final = 1  # of the document; a turn has a format of its own
_KIND: Final = "lambda-workflow history"


def write_history(history: History) -> str:
    """The document of a history whose payloads are in place."""
    started = history.started
    head = {
        "kind": _KIND,
        "format": EXPORT_FORMAT,
        "execution_id": history.execution_id,
        "workflow": started.workflow if started else "",
        "version": started.version if started else "",
        "status": history.status.value,
    }
    lines = [f"{dumps(key)}: {dumps(value)}," for key, value in head.items()]
    turns = ",\n".join(map(encode_turn, history.turns))
    return "\n".join(["{", *lines, '"turns": [', turns, "]", "}"]) + "\n"


def read_history(text: str) -> History:
    """The history of a document.

    Raises:
        WorkflowError: it is no exported history, or a newer version of this package wrote it.
    """
    data = _document(text)
    if data["format"] > EXPORT_FORMAT:
        raise WorkflowError(
            f"an exported history of format {data['format']}: this version reads up to "
            f"{EXPORT_FORMAT}; use the newer lambda-workflow that wrote it"
        )
    turns = decode_turns(map(dumps, data["turns"]))
    try:
        history = History(data["execution_id"], turns)
    except ValueError as error:
        raise WorkflowError(f"the exported history has lost something: {error}") from error
    if history.started is None:
        raise WorkflowError("the exported history does not begin with a start")
    return history


def _document(text: str) -> dict[str, Any]:
    try:
        data = loads(text)
    except ValueError as error:
        raise WorkflowError(f"no exported history: not JSON ({error})") from error
    fields = {"format": int, "execution_id": str, "turns": list}
    if (
        not isinstance(data, dict)
        or data.get("kind") != _KIND
        or any(type(data.get(field)) is not kind for field, kind in fields.items())
    ):
        raise WorkflowError(
            "no exported history: `lambda-workflow history export ID` writes an object with "
            f'"kind": "{_KIND}"'
        )
    return data
