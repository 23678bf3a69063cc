"""Whether the types of an adapter's function fit its service's contract, where both are known.

Only what cannot be right is refused: a wider parameter or a narrower result is fine, and so is
whatever cannot be compared (a type variable, a protocol, an annotation that has no meaning yet).
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from types import NoneType
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    Never,
    NewType,
    NoReturn,
    get_args,
    get_origin,
    get_type_hints,
)

from lambda_workflow.errors import ConfigurationError
from lambda_workflow.model.messages import Task
from lambda_workflow.model.payload_shape import UNIONS, label_of
from lambda_workflow.model.service import Service

_ANY: Final = (Any, object, Never, NoReturn, inspect.Parameter.empty)
_AWAITABLE: Final = (Awaitable, Coroutine)
_TOWER: Final = {int: (float, complex), float: (complex,)}  # as type checkers have it


def check_types(service: Service[Any, Any], function: Callable[..., Any]) -> None:
    """Refuse a parameter or a result of another type than the contract's.

    Raises:
        ConfigurationError: names both types.
    """
    try:
        hints = get_type_hints(function, include_extras=True)
    except Exception:  # noqa: BLE001  # a name that is not defined yet, or only for type checkers
        return
    names = list(inspect.signature(function).parameters)
    request, response = service.request_codec.type, service.response_codec.type
    payload = hints.get(names[0], Any)
    result = _awaited(hints.get("return", Any))
    where = f"adapter {getattr(function, '__name__', '?')!r} of service {service.name!r}"
    if not fits(request, payload):
        raise ConfigurationError(
            f"{where} takes {label_of(payload)}, and the service's request is "
            f"{label_of(request)}: write `{names[0]}: {label_of(request)}`"
        )
    if not fits(result, response):
        raise ConfigurationError(
            f"{where} returns {label_of(result)}, and the service's response is "
            f"{label_of(response)}: write `-> {label_of(response)}`"
        )
    if len(names) > 1 and not fits(Task, given := hints.get(names[1], Any)):
        raise ConfigurationError(
            f"{where} takes {label_of(given)} as its second parameter, which is the Task: write "
            f"`{names[1]}: Task`, or leave it out"
        )


def fits(given: Any, wanted: Any) -> bool:
    """Whether a value of the one type may stand where the other is wanted; True where unknown."""
    given, wanted = _plain(given), _plain(wanted)
    if given == wanted or given in _ANY or wanted in _ANY:
        return True
    if get_origin(given) in UNIONS:
        return all(fits(member, wanted) for member in get_args(given))
    if get_origin(wanted) in UNIONS:
        return any(fits(given, member) for member in get_args(wanted))
    if get_origin(given) is Literal:
        return all(fits(type(value), wanted) for value in get_args(given))
    kind, target = get_origin(given) or given, get_origin(wanted) or wanted
    if not _are_known(kind, target):
        return True
    if not (issubclass(kind, target) or target in _TOWER.get(kind, ())):
        return False
    inner, outer = get_args(given), get_args(wanted)
    if kind is not target or len(inner) != len(outer):
        return True
    return all(map(fits, inner, outer))


def _plain(tp: Any) -> Any:
    while True:
        if get_origin(tp) is Annotated:
            tp = get_args(tp)[0]
        elif isinstance(tp, NewType):
            tp = tp.__supertype__
        elif type(tp).__name__ == "TypeAliasType":
            tp = tp.__value__
        else:
            return NoneType if tp is None else tp


def _awaited(tp: Any) -> Any:
    return get_args(tp)[-1] if get_origin(tp) in _AWAITABLE and get_args(tp) else tp


def _are_known(*kinds: Any) -> bool:
    """Whether all are classes that `issubclass` can tell apart."""
    return all(
        isinstance(kind, type)
        and not getattr(kind, "_is_protocol", False)
        and not hasattr(kind, "__required_keys__")
        for kind in kinds
    )
