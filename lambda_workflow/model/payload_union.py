"""The shape of a union: each value comes back as the member that it was.

1. A value is written as its member writes it, if reading that back gives the same value; only
   otherwise (the str "2026-01-31" of a `date | str`) it is tagged: `{"$type": "str", "value": …}`.
2. Untagged JSON is read by the member that alone writes such JSON, or else by the first that can:
   enums and literals, then texts of a format, then plain ones, bytes last; of records the one
   that knows the most of the keys.
3. The order in which the members are declared changes nothing: `A | B` and `B | A` are one type
   to Python's caches, and two processes may see them in either order.
"""

from __future__ import annotations

from typing import Any, Final

from lambda_workflow.model.payload_compare import exactly
from lambda_workflow.model.payload_refused import Mismatch, Refused
from lambda_workflow.model.payload_shape import RANK_USUAL, TAG, Shape, ShapeOf
from lambda_workflow.model.payload_text import Json

_VALUE: Final = "value"
_REASONS_MAX: Final = 3  # of members that a value does not fit, before a message stops


class Union:
    """Several types; `members` are their shapes."""

    keys: None = None
    rank = RANK_USUAL

    def __init__(self, members: list[Shape], qualified: list[str]) -> None:
        paired = sorted(zip(members, qualified, strict=True), key=_order)
        self._members = tuple(member for member, _ in paired)
        self.label = " | ".join(member.label for member in members)
        types = [member.value_types for member in members]
        self.value_types = (
            None if None in types else frozenset[type]().union(*(kinds or () for kinds in types))
        )
        self.emits = frozenset[type]().union(*(member.emits for member in members), {dict})
        self.accepts = frozenset[type]().union(*(member.accepts for member in members), {dict})
        self._tags = _tags(paired)
        self._tagged = {tag: member for member, tag in self._tags.items()}
        self._readers = {kind: self._readers_of(kind) for kind in self.accepts}
        self._sure = {
            kind: member
            for member in members
            for kind in member.value_types or ()
            if self._is_sure(member, kind)
        }

    def link(self, shape_of: ShapeOf) -> None:
        """The members are linked by whoever made them."""

    def encode(self, value: Any) -> Json:
        """The value as its member writes it, tagged where that would be read as another."""
        if (member := self._sure.get(type(value))) is not None:
            out = member.encode(value)
            if type(out) is not dict or self._tag_in(out) is None:
                return out
        else:
            member, out = self._written(value)
            if self._tag_in(out) is None and self._reader(out) is member:
                return out
        return {TAG: self._tags[member], _VALUE: out}

    def decode(self, value: Json) -> Any:
        """The value, as the member that the tag names or that reads it."""
        if type(value) is dict and (tag := self._tag_in(value)) is not None:
            try:
                return self._tagged[tag].decode(value[_VALUE])
            except Refused as refused:
                refused.inside(f".{_VALUE}")
                raise
        return self._untagged(value)

    def _is_sure(self, member: Shape, kind: type) -> bool:
        """Whether values of this class are this member's, and no other member writes such JSON."""
        others = [other for other in self._members if other is not member]
        return not any(
            kind in (other.value_types or {kind}) or member.emits & other.emits for other in others
        )

    def _readers_of(self, kind: type) -> tuple[Shape, ...]:
        writers = [member for member in self._members if kind in member.emits]
        tolerant = [m for m in self._members if kind in m.accepts and m not in writers]
        return (*writers, *tolerant)

    def _written(self, value: Any) -> tuple[Shape, Json]:
        """The member whose value this is, and its JSON."""
        kind = type(value)
        likely = [m for m in self._members if m.value_types is None or kind in m.value_types]
        if len(likely) == 1 and likely[0].value_types is not None:
            return likely[0], likely[0].encode(value)
        narrowed = None
        refusals: list[tuple[Shape, Refused]] = []
        for member in (*likely, *(m for m in self._members if m not in likely)):
            try:
                out = member.encode(value)
                if exactly(member.decode(out), value):
                    return member, out
            except Refused as refused:
                refusals += [(member, refused)] if member in likely else []
            else:
                narrowed = narrowed or (member, out)
        if narrowed is None:
            raise self._none_of(value, refusals)
        return narrowed

    def _reader(self, value: Json) -> Shape | None:
        """The member that reads untagged JSON."""
        for member in self._candidates(value):
            try:
                member.decode(value)
            except Refused:
                continue
            return member
        return None

    def _untagged(self, value: Json) -> Any:
        refusals: list[tuple[Shape, Refused]] = []
        for member in self._candidates(value):
            try:
                return member.decode(value)
            except Refused as refused:
                refusals.append((member, refused))
        raise self._none_of(value, refusals)

    def _candidates(self, value: Json) -> tuple[Shape, ...]:
        readers = self._readers.get(type(value), ())
        if type(value) is dict and len(readers) > 1:
            return tuple(sorted(readers, key=lambda m: -len(value.keys() & (m.keys or ()))))
        return readers

    def _tag_in(self, value: Json) -> str | None:
        if type(value) is dict and len(value) == 2 and _VALUE in value:
            tag = value.get(TAG)
            if type(tag) is str and tag in self._tagged:
                return tag
        return None

    def _none_of(self, value: Any, refusals: list[tuple[Shape, Refused]]) -> Refused:
        if len(refusals) == 1:
            return refusals[0][1]
        reasons = "; ".join(why.told(member.label) for member, why in refusals[:_REASONS_MAX])
        return Mismatch(value, f"{self.label} ({reasons})" if reasons else self.label)


def _order(member: tuple[Shape, str]) -> tuple[int, str, str]:
    shape, qualified = member
    return shape.rank, shape.label, qualified


def _tags(paired: list[tuple[Shape, str]]) -> dict[Shape, str]:
    labels = [member.label for member, _ in paired]
    return {
        member: member.label if labels.count(member.label) == 1 else qualified
        for member, qualified in paired
    }
