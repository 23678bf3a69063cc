"""Which fields of a pydantic model pydantic itself carries faithfully, and which it does not."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag
from types import NoneType
from typing import Annotated, Any, Final, Literal, get_args, get_origin
from uuid import UUID

from lambda_workflow.model.payload_foreign import all_notes, is_custom
from lambda_workflow.model.payload_refused import Refused
from lambda_workflow.model.payload_shape import TAG, UNIONS, label_of

_NATIVE: Final = frozenset({NoneType, bool, int, float, str})  # JSON has them
_FAITHFUL: Final = _NATIVE | {datetime, date, time, timedelta, Decimal, UUID}


# Settings that change neither a value that is written nor one that is read back.
_HARMLESS: Final = frozenset(
    {
        "alias_generator",
        "arbitrary_types_allowed",
        "defer_build",
        "extra",
        "from_attributes",
        "frozen",
        "json_schema_extra",
        "populate_by_name",
        "protected_namespaces",
        "serialize_by_alias",
        "strict",
        "title",
        "use_attribute_docstrings",
        "validate_assignment",
        "validate_by_alias",
        "validate_by_name",
    }
)


class Plan:
    """Who writes and reads which field of a model.

    Attributes:
        left: the fields whose user-defined serializer or type decides alone.
        keys: by field, the keys under which reading finds it.
        keeps_input: pydantic may keep parts of the JSON it is given, so that it gets a copy.
        must_verify: the model's own code or constraints see what is given back to it.
    """

    def __init__(self, cls: Any) -> None:
        _complete(cls)
        self.fields: Mapping[str, Any] = cls.__pydantic_fields__
        decorators = cls.__pydantic_decorators__
        config = getattr(cls, "model_config", None) or getattr(cls, "__pydantic_config__", {})
        served = {name for d in decorators.field_serializers.values() for name in d.info.fields}
        rewritten = bool(decorators.model_serializers)
        whole = rewritten or "*" in served or config.get("use_enum_values")
        self.left = frozenset(
            name
            for name, field in self.fields.items()
            if whole or name in served or field.exclude or any(map(is_custom, field.metadata))
        )
        self.keys = {name: _read_keys(name, field) for name, field in self.fields.items()}
        self.by_alias = all(
            (field.serialization_alias or name) in self.keys[name]
            for name, field in self.fields.items()
        )
        self.is_root = bool(getattr(cls, "__pydantic_root_model__", False))
        self.writes_any_json = self.is_root or rewritten
        self.takes_extra = config.get("extra") == "allow"
        self.keeps_input = bool(self.left) or self.takes_extra
        self.must_verify = (
            self.keeps_input
            or not _HARMLESS.issuperset(config)
            or _has_code(cls)
            or any(field.metadata for field in self.fields.values())
        )
        self._is_strict = bool(config.get("strict"))

    def key(self, name: str) -> str:
        """Under which key a field is written."""
        return (self.by_alias and self.fields[name].serialization_alias) or name

    def carries(self, name: str) -> bool:
        """Whether pydantic reads a field from its JSON faithfully."""
        return not self._is_strict_at(name) and _carried(self.fields[name].annotation, set())

    def carried(self, seen: set[Any]) -> bool:
        """Whether pydantic alone can read such a model inside another one."""
        return not (self.keeps_input or self.writes_any_json) and all(
            _carried(field.annotation, seen)
            and not self._is_strict_at(name)
            and TAG not in self.keys[name]
            for name, field in self.fields.items()
        )

    def _is_strict_at(self, name: str) -> bool:
        return self._is_strict or any(map(_is_strict, self.fields[name].metadata))


def _has_code(cls: Any) -> bool:
    """Whether code of the user's runs when one is made."""
    decorators = cls.__pydantic_decorators__
    return bool(
        decorators.field_validators
        or decorators.model_validators
        or decorators.validators
        or decorators.root_validators
        or getattr(cls, "__pydantic_post_init__", None)
        or getattr(cls, "__pydantic_custom_init__", False)
        or hasattr(cls, "__post_init__")
    )


def _complete(cls: Any) -> None:
    if getattr(cls, "__pydantic_complete__", True):
        return
    try:
        if hasattr(cls, "model_rebuild"):
            cls.model_rebuild()
        else:
            from pydantic.dataclasses import rebuild_dataclass

            rebuild_dataclass(cls)
    except Exception as error:
        raise Refused(f"{label_of(cls)} is not a complete type: {error}") from error


def _read_keys(name: str, field: Any) -> tuple[str, ...]:
    alias = field.validation_alias
    choices = getattr(alias, "choices", [alias])
    return tuple(dict.fromkeys([*(key for key in choices if isinstance(key, str)), name]))


def _is_strict(note: Any) -> bool:
    return bool(getattr(note, "strict", False))


def _carried(tp: Any, seen: set[Any]) -> bool:
    """Whether pydantic's JSON mode gives back every value of a type, and of all that it reaches."""
    if not isinstance(tp, Hashable):
        return False
    if tp is None or tp in _FAITHFUL or tp in seen:
        return True
    origin, args = get_origin(tp), get_args(tp)
    if isinstance(tp, type) and hasattr(tp, "__pydantic_fields__"):
        seen.add(tp)
        return Plan(tp).carried(seen)
    if isinstance(tp, type) and issubclass(tp, Enum):
        return not issubclass(tp, Flag) and all(type(member.value) in _NATIVE for member in tp)
    if origin is Annotated:
        return any(map(is_custom, all_notes(list(args[1:])))) or _carried(args[0], seen)
    if origin is Literal:
        return all(type(value) in _NATIVE for value in args) and len(set(args)) == len(args)
    if origin in UNIONS:
        others = [arg for arg in args if arg is not NoneType]
        fixed = len(others) == 1 and get_origin(others[0]) is not dict  # may look like a tag
        return (fixed or _NATIVE.issuperset(others)) and _carried_all(args, seen)
    if origin is dict:
        return args[0] in (str, int) and _carried(args[1], seen)
    return origin in (list, tuple) and _carried_all(args, seen)


def _carried_all(args: tuple[Any, ...], seen: set[Any]) -> bool:
    return all(arg is ... or _carried(arg, seen) for arg in args)
