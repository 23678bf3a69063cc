"""An exported history: one execution as a JSON document that later versions still read.

Laws
 1. `read_history(write_history(history))` has the same turns, but for law 4.
 2. A turn stands as in the store (see `model.turn`), one to a line, its payloads in place: whoever
    can replay a stored execution can replay an exported one.
 3. What a reader does not know is ignored; a higher `format` is refused.
 4. The secret that callback tokens are signed with stays in the store: the document has another,
    and the tokens that this one makes wherever the real ones stood, so that replay makes the same.
    Digests that a token may be in are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from lambda_workflow.errors import WorkflowError
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.history import History
from lambda_workflow.model.payload import dumps
from lambda_workflow.model.payload_text import loads_recorded
from lambda_workflow.model.record_check import damage_in
from lambda_workflow.model.tokens import make_token
from lambda_workflow.model.turn import Turn, decode_turns, encode_turn

EXPORT_FORMAT: Final = 1  # of the document; a turn has a format of its own
_KIND: Final = "lambda-workflow history"
_SECRET: Final = "exported"  # signs nothing that anybody accepts


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
    turns = ",\n".join(map(encode_turn, _public(history.turns)))
    for real, shown in _tokens(history):
        turns = turns.replace(real, shown)
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
    try:
        texts = [dumps(turn) for turn in data["turns"]]
    except ValueError as error:  # 1e400 is read as infinity
        raise WorkflowError(f"no exported history: a number is out of range ({error})") from error
    turns = decode_turns(texts)
    if wrong := damage_in(turns):
        raise WorkflowError(f"no exported history: {wrong}")
    try:
        history = History(data["execution_id"], turns)
    except ValueError as error:
        raise WorkflowError(f"the exported history has lost something: {error}") from error
    if history.started is None:
        raise WorkflowError("the exported history does not begin with a start")
    return history


def _public(turns: Sequence[Turn]) -> Iterator[Turn]:
    """The turns, without the secret, and without digests of values that it may be in."""
    commands = (command for turn in turns for command in turn.commands)
    has_tokens = any(isinstance(command, c.OpenCallback) for command in commands)
    for turn in turns:
        events = tuple(
            replace(event, options=replace(event.options, secret=_SECRET))
            if isinstance(event, e.Started) and event.options.secret
            else event
            for event in turn.events
        )
        public = tuple(map(_without_digests, turn.commands)) if has_tokens else turn.commands
        yield replace(turn, events=events, commands=public)


def _without_digests(command: c.Command) -> c.Command:
    """A token in an argument has another digest on replay; what has none is compared as before."""
    match command:
        case c.RunStep():
            return replace(command, function="", arguments="")
        case c.OpenCallback():
            return replace(command, answer="", branch="")
        case c.StartTimer():
            return replace(command, origin="")
        case _:
            return command


def _tokens(history: History) -> Iterator[tuple[str, str]]:
    """Each callback's token, and the one that stands for it."""
    secret = ""
    for turn in history.turns:
        for event in turn.events:
            if isinstance(event, e.Started):
                secret = event.options.secret
        for command in turn.commands:
            if isinstance(command, c.OpenCallback) and secret:
                named = history.execution_id, command.operation
                yield make_token(secret, *named), make_token(_SECRET, *named)


def _document(text: str) -> dict[str, Any]:
    try:
        data = loads_recorded(text)
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
