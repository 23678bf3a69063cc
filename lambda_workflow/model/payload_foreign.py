"""Shapes of types that pydantic adds: constraints on a type, and types of its own making.

pydantic is imported where it is needed: it costs a cold start 0.3 s, and a process whose payloads
are dataclasses never needs it.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, get_args, get_origin

from lambda_workflow.errors import WorkflowError
from lambda_workflow.model.payload_compare import difference
from lambda_workflow.model.payload_refused import Mismatch, Refused
from lambda_workflow.model.payload_shape import ANY_JSON, RANK_FOREIGN, Shape, ShapeOf, label_of
from lambda_workflow.model.payload_shown import (
    are_values_shown,
    at_key,
    shown,
    words_of_error,
)
from lambda_workflow.model.payload_text import Json, plain

_ERRORS_SHOWN_MAX: Final = 3
_TELLING: Final = frozenset(  # whose messages have the input, or a user's words
    {"value_error", "assertion_error", "union_tag_invalid", "uuid_parsing", "get_attribute_error"}
)


class Foreign:
    """A type that pydantic knows and this codec does not: a URL, a path, an address."""

    keys: None = None
    emits = accepts = ANY_JSON
    rank = RANK_FOREIGN

    def __init__(self, tp: Any) -> None:
        from pydantic import TypeAdapter

        self.label = label_of(tp)
        self.value_types = None
        if any(_unordered(part) for part in get_args(tp)):
            raise Refused(f"{self.label} cannot be a payload: the order of its sets is not fixed")
        try:
            adapter: TypeAdapter[Any] = TypeAdapter(tp)
            self._dump = adapter.serializer.to_python
            self._validate = adapter.validator.validate_python
        except Exception as error:
            raise Refused(
                f"{self.label} cannot be a payload: declare a dataclass, TypedDict, pydantic "
                "model or another type that has a JSON form"
            ) from error

    def link(self, shape_of: ShapeOf) -> None:
        """No parts."""

    def encode(self, value: Any) -> Json:
        """What pydantic writes, if it gives back the value."""
        try:
            out = plain(
                self._dump(value, mode="json", round_trip=True, warnings=False, by_alias=True)
            )
        except (Refused, WorkflowError):
            raise
        except Exception as error:
            raise Mismatch(value, f"{self.label} ({words_of_error(error)})") from error
        if (changed := difference(self.decode(out), value)) is not None:
            raise changed
        return out

    def decode(self, value: Json) -> Any:
        """What pydantic validates."""
        try:
            return self._validate(plain(value), by_alias=True, by_name=True)
        except WorkflowError:
            raise
        except Exception as error:
            raise refused_by(error, self.label) from error


class Constrained:
    """`Annotated[X, Field(gt=0)]`: written as X, and validated by pydantic as a Python value."""

    def __init__(self, tp: Any, inner: Shape) -> None:
        from pydantic import TypeAdapter

        self.label = inner.label
        self.rank, self.keys, self.value_types = inner.rank, inner.keys, inner.value_types
        self.emits, self.accepts = inner.emits, inner.accepts
        self._inner = inner
        adapter: TypeAdapter[Any] = TypeAdapter(tp)
        self._validate = adapter.validator.validate_python

    def link(self, shape_of: ShapeOf) -> None:
        """The inner shape is linked by whoever made it."""

    def encode(self, value: Any) -> Json:
        """What X writes, if the constraints leave it as it is."""
        out = self._inner.encode(value)
        if (changed := difference(self.decode(out), value)) is not None:
            raise changed
        return out

    def decode(self, value: Json) -> Any:
        """What X reads and the constraints accept."""
        native = self._inner.decode(value)
        try:
            return self._validate(native)
        except WorkflowError:
            raise
        except Exception as error:
            raise refused_by(error, self.label) from error


def annotated_shape(tp: Any, shape_of: ShapeOf) -> Shape:
    """The shape of `Annotated[X, …]`; what is not pydantic's among the annotations is no matter."""
    inner, *notes = get_args(tp)
    if any(map(is_custom, all_notes(notes))):
        return Foreign(tp)
    if any(type(note).__module__.startswith(("pydantic", "annotated_types")) for note in notes):
        return Constrained(tp, shape_of(inner))
    return shape_of(inner)


def refused_by(error: Exception, label: str, *, hidden: bool = False) -> Refused:
    """The refusal in pydantic's error, or in any error of a user's validator.

    Args:
        hidden: whether the model has `hide_input_in_errors`: then its messages have no values.
    """
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return Refused(f"{label} does not accept it: {words_of_error(error)}")
    found = error.errors(include_url=False, include_context=False)
    steps = ["".join(map(_step, detail["loc"])) for detail in found]
    reasons = [
        str(detail["msg"])
        if hidden or detail["type"] == "missing"
        else f"found {shown(detail['input'])}: {_message(detail)}"
        for detail in found
    ]
    others = [f"{step}: {reason}" for step, reason in zip(steps, reasons, strict=True)][1:]
    more = f"; also {'; '.join(others[: _ERRORS_SHOWN_MAX - 1])}" if others else ""
    unsaid = len(found) - _ERRORS_SHOWN_MAX
    rest = f"; and {unsaid} more" if unsaid > 0 else ""
    return Refused(f"{reasons[0]}{more}{rest} (as {label})").inside(steps[0])


def _message(detail: Any) -> str:
    """pydantic's own words are of types and limits; those of a validator may have the value."""
    kind: str = detail["type"]
    if are_values_shown() or (kind in _known_errors() and kind not in _TELLING):
        return str(detail["msg"])
    return f"refused by its validator ({kind})" if kind != "union_tag_invalid" else kind


@cache
def _known_errors() -> frozenset[str]:
    from pydantic_core.core_schema import ErrorType

    return frozenset(get_args(ErrorType))


def _step(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    return f".{part}" if part.isidentifier() else at_key(part)


def all_notes(notes: list[Any]) -> list[Any]:
    """The annotations of a type with those that `Field(…)` brings along."""
    return [part for note in notes for part in (note, *getattr(note, "metadata", ()))]


def is_custom(note: Any) -> bool:
    """Whether an annotation changes how pydantic reads or writes: `PlainSerializer`, `EmailStr`…"""
    return hasattr(note, "__get_pydantic_core_schema__")


def _unordered(tp: Any) -> bool:
    return (get_origin(tp) or tp) in (set, frozenset) or any(map(_unordered, get_args(tp)))
