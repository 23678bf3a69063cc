"""How the code reads signals and updates, for the record: the types that it waits with.

Laws
 1. A type is declared when live code first waits with it, and again when it has changed; replay
    declares what is recorded and nothing else. A type that says nothing is not declared.
 2. Where today's code reads one name by several types, a payload may be of any of them: what was
    declared is taken back.
 3. A payload that fitted the declared type when it came tells of a change of the contract, if
    today's code no longer reads by that type; else the sender has sent what is malformed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from lambda_workflow.model.commands import Declare
from lambda_workflow.model.events import BlobRef, Told
from lambda_workflow.model.payload_schema import NO_CONTRACT, contract_of, contradiction
from lambda_workflow.model.signal import is_typed

if TYPE_CHECKING:
    from lambda_workflow.model.payload import Json
    from lambda_workflow.replay.execution import Execution

Kind = Literal["signal", "update"]


def declare(execution: Execution, kind: Kind, name: str, tp: Any) -> None:
    """The code is about to wait for a signal or an update (laws 1 and 2)."""
    if execution.loop.semantics < 2:
        return
    state, key = execution.state, (kind, name)
    types = state.awaited.setdefault(key, [])
    is_new = tp not in types
    if is_new:
        types.append(tp)
    if not execution.live:
        recorded = execution.ledger.find(f"declare:{kind}:{name}")
        if isinstance(recorded, Declare):
            _add(execution, recorded)
        return
    if not is_new and key in state.settled:
        return
    state.settled.add(key)
    schema, contract = _contract(types)
    before = state.declared.get(key)
    if contract != ("" if before is None else before.contract):
        _add(execution, Declare(kind, name, schema, contract))


def _add(execution: Execution, declared: Declare) -> None:
    execution.ledger.add(declared)
    execution.state.declared[declared.kind, declared.name] = declared


def _contract(types: list[Any]) -> tuple[Json, str]:
    found = {contract: schema for schema, contract in map(_contract_of, types)}
    if len(found) != 1:
        return NO_CONTRACT
    ((contract, schema),) = found.items()
    return schema, contract


def _contract_of(tp: Any) -> tuple[Json, str]:
    try:
        return contract_of(tp) if is_typed(tp) else NO_CONTRACT
    except TypeError:  # it has no hash
        return NO_CONTRACT


def note_arrival(execution: Execution, kind: Kind, told: Told) -> None:
    """A payload has come: keep what is declared now, if its sender had no type for it."""
    if not told.checked and (declared := execution.state.declared.get((kind, told.name))):
        execution.state.arrived[kind, told.id] = declared


def fitted(execution: Execution, kind: Kind, told: Told) -> bool:
    """Whether a payload that today's type cannot read was fit when it came (law 3)."""
    if told.checked:
        return True
    then = execution.state.arrived.get((kind, told.id))
    if then is None or then.schema is None or isinstance(told.payload, BlobRef):
        return False
    types = execution.state.awaited.get((kind, told.name), [])
    if then.contract in [contract for _, contract in map(_contract_of, types)]:
        return False
    return contradiction(told.payload, then.schema, kind) is None
