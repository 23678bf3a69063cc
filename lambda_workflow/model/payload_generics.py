"""The annotations of a generic pydantic model's fields, also where the model contains itself.

pydantic leaves a reference in place of a class that is not made yet, `list[PydanticRecursiveRef]`
in `Node[int]`. The generic model itself, `Node`, has the class there: its parameters are put in.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Annotated, Any, Final, Literal, get_args, get_origin

from lambda_workflow.model.payload_shape import UNIONS

_REFERENCE: Final = "PydanticRecursiveRef"


def field_annotation(cls: Any, name: str) -> Any:
    """The annotation of a model's field, with the classes in place of references to them."""
    annotation = cls.__pydantic_fields__[name].annotation
    if not _has_reference(annotation):
        return annotation
    of = getattr(cls, "__pydantic_generic_metadata__", {})
    origin = of.get("origin")
    if origin is None or name not in origin.__pydantic_fields__:
        return annotation
    parameters = origin.__pydantic_generic_metadata__["parameters"]
    given = dict(zip(parameters, of["args"], strict=False))
    return _filled(origin.__pydantic_fields__[name].annotation, given)


def _has_reference(tp: Any) -> bool:
    return type(tp).__name__ == _REFERENCE or any(map(_has_reference, get_args(tp)))


def _filled(tp: Any, given: dict[Any, Any]) -> Any:
    parameters = getattr(tp, "__pydantic_generic_metadata__", {}).get("parameters", ())
    if parameters:
        return tp[tuple(given.get(one, one) for one in parameters)]
    origin, args = get_origin(tp), get_args(tp)
    if origin is None or origin is Literal:
        return given.get(tp, tp) if type(tp).__name__ == "TypeVar" else tp
    if origin is Annotated:
        return Annotated[(_filled(args[0], given), *args[1:])]
    inner = tuple(_filled(one, given) for one in args)
    if origin in UNIONS:
        return reduce(or_, inner)
    return origin[inner] if hasattr(origin, "__class_getitem__") else tp
