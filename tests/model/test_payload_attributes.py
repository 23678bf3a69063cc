"""A dataclass is written by its attributes, wherever these are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from lambda_workflow.errors import EncodeError
from lambda_workflow.model.payload import codec_for


@dataclass
class Plain:
    name: str
    count: int = 1


class WithSlot:
    __slots__ = ("extra",)


@dataclass
class HalfSlotted(WithSlot):
    name: str


@dataclass(slots=True)
class Slotted:
    name: str


@dataclass
class Shadowed:
    name: str


Shadowed.name = property(  # type: ignore[assignment]
    lambda self: self.__dict__["name"].upper(), lambda self, new: self.__dict__.update(name=new)
)


@dataclass
class Reading:
    name: str

    def __getattribute__(self, attribute: str) -> Any:
        found = object.__getattribute__(self, attribute)
        return found.upper() if attribute == "name" else found


@pytest.mark.parametrize("kind", [HalfSlotted, Slotted, Shadowed, Reading])
def test_it_is_written_as_its_attributes_are_read(kind: Any) -> None:
    value = kind("ada")
    assert codec_for(kind).encode(value) == {"name": value.name}


def test_what_is_no_field_is_refused_wherever_it_is_kept() -> None:
    plain, half = Plain("ada"), HalfSlotted("ada")
    plain.__dict__["extra"] = half.extra = 1  # type: ignore[attr-defined]
    for value in (plain, half):
        with pytest.raises(EncodeError, match=r"\.extra: no field of"):
            codec_for(type(value)).encode(value)


def test_a_default_that_stands_for_a_lost_attribute_is_written() -> None:
    value = Plain("ada", 2)
    del value.count
    assert codec_for(Plain).encode(value) == {"name": "ada", "count": 1}
    del value.name
    with pytest.raises(EncodeError, match="has lost it"):
        codec_for(Plain).encode(value)
