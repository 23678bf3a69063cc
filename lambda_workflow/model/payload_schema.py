"""A type as a JSON Schema, small enough for a history, and what in a value contradicts it.

Laws
 1. The schema is for those who lack the type: a value that it refuses, the type refuses.
 2. What the schema cannot say, it accepts; the type has the last word.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from lambda_workflow.model.payload_text import Json, dumps

SCHEMA_CHARACTERS_MAX: Final = 4_000  # a record of a callback must not grow by more
_LAX: Final = "$lax"  # among the definitions: pydantic models take some scalars for others
_BOOLEANS: Final = frozenset(
    {"0", "1", "true", "false", "t", "f", "yes", "no", "y", "n", "on", "off"}
)
_KEPT: Final = frozenset(
    {
        "type", "properties", "required", "items", "prefixItems", "anyOf", "oneOf", "allOf", "enum",
        "const", "$ref", "$defs", "additionalProperties", "minItems", "maxItems",
    }
)  # fmt: skip
_WORDS: Final = ("title", "description", "default", "examples")  # they change nothing
NO_CONTRACT: Final = (None, "")
_SCALARS: Final[dict[Any, str]] = {
    str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null",
    None: "null",
}  # fmt: skip
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,),
    "integer": (int,), "number": (int, float), "null": (type(None),),
}  # fmt: skip


def schema_of(tp: Any) -> Json:
    """The schema of a type; None where it says nothing, or more than a history has room for."""
    return contract_of(tp)[0]


@lru_cache(1024)
def contract_of(tp: Any) -> tuple[Json, str]:
    """The schema, and a digest of all that pydantic knows of the type; the same for no schema."""
    if (scalar := _SCALARS.get(tp)) is not None:
        return {"type": scalar}, _digest({"type": scalar})
    from pydantic import TypeAdapter  # only where such a type is asked for

    try:
        adapter = TypeAdapter(tp)
        whole = adapter.json_schema()
        schema = _reduced(whole)
        if _has_model(adapter.core_schema):
            schema.setdefault("$defs", {})[_LAX] = {}
    except Exception:  # noqa: BLE001  # law 2: pydantic does not know each type of the codec
        return NO_CONTRACT
    if not schema or len(dumps(schema)) > SCHEMA_CHARACTERS_MAX:
        return NO_CONTRACT
    return schema, _digest(_without_words(whole))


def _digest(schema: Json) -> str:
    return hashlib.blake2b(dumps(schema).encode(), digest_size=8).hexdigest()


def _without_words(schema: Any, *, is_map: bool = False) -> Any:
    """The schema without what is there for people; a map's keys are names of fields."""
    if isinstance(schema, list):
        return [_without_words(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _without_words(value, is_map=not is_map and key in ("properties", "$defs"))
        for key, value in schema.items()
        if is_map or key not in _WORDS
    }


def contradiction(value: Json, schema: Json, where: str) -> str | None:
    """The field of a value that is not as the schema says, the type found and those allowed."""
    if not isinstance(schema, dict):
        return None
    definitions = schema.get("$defs")
    defs = definitions if isinstance(definitions, dict) else {}
    try:
        return _contradiction(value, schema, where, defs)
    except RecursionError:  # deeper than the type may be: law 2
        return None


def _contradiction(value: Any, schema: Any, where: str, defs: Mapping[str, Any]) -> str | None:
    if isinstance(value, dict) and "$type" in value:
        return None  # a tagged member of a union
    if not isinstance(schema, dict):
        return None
    if "$ref" in schema:
        named = defs.get(str(schema["$ref"]).rpartition("/")[2])
        return _contradiction(value, named, where, defs)
    for several in ("anyOf", "oneOf"):
        if several in schema:
            found = [_contradiction(value, one, where, defs) for one in schema[several]]
            if None not in found:
                deeper = next((one for one in found if one and not one.startswith(f"{where}:")), "")
                return deeper or f"{where}: found {_kind(value)}, allowed {_allowed(schema, defs)}"
    for one in schema.get("allOf", ()):
        if (told := _contradiction(value, one, where, defs)) is not None:
            return told
    return _own(value, schema, where, defs)


def _own(value: Any, schema: dict[str, Any], where: str, defs: Mapping[str, Any]) -> str | None:
    kinds = _TYPES.get(str(schema.get("type")))
    is_bool = isinstance(value, bool) and kinds is not None and bool not in kinds
    if kinds is not None and (not isinstance(value, kinds) or is_bool):
        if _LAX in defs and _may_be_coerced(value, str(schema["type"])):
            return None
        return f"{where}: found {_kind(value)}, allowed {_allowed(schema, defs)}"
    members = [schema["const"]] if "const" in schema else schema.get("enum")
    if members is not None and (type(value), value) not in [(type(one), one) for one in members]:
        return f"{where}: found another {_kind(value)} than those of the type"
    if isinstance(value, dict):
        return _in_object(value, schema, where, defs)
    if isinstance(value, list):
        return _in_array(value, schema, where, defs)
    return None


def _may_be_coerced(value: Any, kind: str) -> bool:
    """Whether a pydantic model may take a scalar of one kind for another: `"7"` for 7."""
    if kind == "boolean":
        return value in (0, 1) or str(value).lower() in _BOOLEANS
    if kind not in ("integer", "number") or not isinstance(value, bool | int | float | str):
        return False
    try:
        float(value)
    except ValueError:
        return False
    return True


def _has_model(core: Any) -> bool:
    if isinstance(core, dict):
        return core.get("type") == "model" or any(map(_has_model, core.values()))
    return isinstance(core, list | tuple) and any(map(_has_model, core))


def _in_object(
    value: dict[str, Any], schema: dict[str, Any], where: str, defs: Mapping[str, Any]
) -> str | None:
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            return f"{where}.{name}: missing"
    for name, inner in value.items():
        known = properties.get(name, schema.get("additionalProperties"))
        place = f"{where}.{name}" if name in properties else f"{where}[…]"
        if (told := _contradiction(inner, known, place, defs)) is not None:
            return told
    return None


def _in_array(
    value: list[Any], schema: dict[str, Any], where: str, defs: Mapping[str, Any]
) -> str | None:
    least, most = schema.get("minItems", 0), schema.get("maxItems", len(value))
    if not least <= len(value) <= most:
        return f"{where}: found {len(value)} items, allowed {least} to {most}"
    first = schema.get("prefixItems", [])
    for number, inner in enumerate(value):
        known = first[number] if number < len(first) else schema.get("items")
        told = _contradiction(inner, known, f"{where}[{number}]", defs)
        if told is not None:
            return told
    return None


def _allowed(schema: Any, defs: Mapping[str, Any]) -> str:
    if not isinstance(schema, dict):
        return "any"
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    parts = schema.get("anyOf") or schema.get("oneOf")
    if parts:
        return " or ".join(dict.fromkeys(_allowed(part, defs) for part in parts))
    return str(schema.get("type", "any"))


def _kind(value: Any) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")


def _reduced(schema: Any) -> Any:
    """Without titles, defaults and formats, which law 2 does not need."""
    if not isinstance(schema, dict):
        return schema
    out: dict[str, Any] = {}
    for key, value in schema.items():
        if key not in _KEPT:
            continue
        if key in ("properties", "$defs"):
            out[key] = {name: _reduced(inner) for name, inner in value.items()}
        elif isinstance(value, list) and key not in ("required", "enum"):
            out[key] = [_reduced(one) for one in value]
        else:
            out[key] = _reduced(value) if key != "const" else value
    return out
