"""`${…}` in needs → values of the stack: parameters, the place, a service's own resources."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lambda_workflow.aws.synth.needs import OwnParameter, Right
from lambda_workflow.aws.synth.resources import Statement, Target
from lambda_workflow.aws.synth.values import Builtin, Param, Ref, Split, Text
from lambda_workflow.errors import ConfigurationError

PLACE: Final = {
    "AWS::AccountId": Builtin("account"),
    "AWS::Partition": Builtin("partition"),
    "AWS::Region": Builtin("region"),
    "AWS::URLSuffix": Builtin("suffix"),
}
_PLACEHOLDER: Final = re.compile(r"\$\{([^{}]*)\}")


def placeholders(found: Any) -> Iterator[str]:
    """The names in a text, or in all texts of lists, sections and dataclasses' fields."""
    if isinstance(found, str):
        yield from _PLACEHOLDER.findall(found)
    elif isinstance(found, Mapping):
        for value in found.values():
            yield from placeholders(value)
    elif isinstance(found, Iterable):
        for value in found:
            yield from placeholders(value)


def parameter_id(name: str) -> str:
    """A parameter's id in words: `EmailSender` → `email-sender`."""
    return "-".join(word.lower() for word in re.findall("[A-Z][a-z0-9]*", name))


@dataclass(frozen=True, slots=True)
class Scope:
    """What can be named in the needs of one function.

    Attributes:
        where: whose needs they are, for messages.
        own: names such as `Table.Arn`.
    """

    where: str
    parameters: Mapping[str, OwnParameter]
    own: Mapping[str, Ref] = field(default_factory=dict)

    def text(self, found: str) -> str | Text:
        """A text with what its names stand for.

        Raises:
            ConfigurationError: one of them is unknown.
        """
        parts = [self._part(piece, is_name=bool(number % 2), whole=found)
                 for number, piece in enumerate(_PLACEHOLDER.split(found))]  # fmt: skip
        kept = tuple(part for part in parts if part != "")
        return found if all(isinstance(part, str) for part in kept) else Text(kept)

    def variables(self, environment: Mapping[str, str]) -> dict[str, str | Text]:
        """Variables of a function; a list stands in one with its commas."""
        return {name: self.text(value) for name, value in environment.items()}

    def statements(self, rights: Iterable[Right]) -> Iterator[Statement]:
        """Rights as statements: what hangs on an empty parameter has one of its own."""
        number = 0
        for right in rights:
            conditions = self._conditions(right.conditions)
            if not right.actions or not (right.resources or right.anything):
                self._refuse("one of its rights has no actions, or no resources: write both")
            if right.resources and right.anything:
                self._refuse("one of its rights has resources, and anything: write one of them")
            needed = self._optional(right.conditions)
            if right.anything:
                number += 1
                unless_empty = tuple(Param(parameter_id(n)) for n in sorted(needed))
                yield Statement(
                    f"Own{number}", right.actions, (), conditions,
                    unless_empty=unless_empty, anything=right.anything,
                )  # fmt: skip
            for targets, also in self._grouped(right.resources):
                number += 1
                unless_empty = tuple(Param(parameter_id(n)) for n in sorted(needed | also))
                yield Statement(f"Own{number}", right.actions, targets, conditions, unless_empty)

    def unless_empty(self, *texts: str) -> tuple[Param, ...]:
        """The parameters in texts that may be empty."""
        return tuple(Param(parameter_id(name)) for name in sorted(self._optional(texts)))

    def _grouped(
        self, resources: Iterable[str]
    ) -> Iterator[tuple[tuple[Target, ...], frozenset[str]]]:
        """Resources with the parameters that they hang on; a list stands alone."""
        together: list[Target] = []
        alone: list[tuple[tuple[Target, ...], frozenset[str]]] = []
        for resource in resources:
            target, needed = self._target(resource), self._optional(resource)
            if needed or isinstance(target, Split):
                alone.append(((target,), needed))
            else:
                together.append(target)
        if together:
            yield tuple(together), frozenset()
        yield from alone

    def _target(self, resource: str) -> Target:
        if found := self._list(resource):
            return found
        made = self.text(resource)
        return made if isinstance(made, Text) else Text((made,))

    def _list(self, found: str) -> Split | None:
        name = _PLACEHOLDER.fullmatch(found)
        if name and (parameter := self.parameters.get(name[1])) and parameter.list:
            return Split(Param(parameter_id(name[1])))
        return None

    def _conditions(self, found: Any) -> Any:
        if isinstance(found, Mapping):
            return {key: self._conditions(value) for key, value in found.items()}
        if isinstance(found, list):
            return [self._conditions(value) for value in found]
        return self._list(found) or self.text(found)

    def _optional(self, found: Any) -> frozenset[str]:
        return frozenset(
            name
            for name in placeholders(found)
            if name in self.parameters and self.parameters[name].default == ""
        )

    def _part(self, piece: str, *, is_name: bool, whole: str) -> str | Ref | Param | Builtin:
        if not is_name:
            if "${" in piece:
                self._refuse(f"{whole!r} has a ${{ without an end, or one within another")
            return piece
        if piece in self.parameters:
            if self.parameters[piece].list and whole != f"${{{piece}}}":
                self._refuse(f"{whole!r}: {piece} is a list, which stands alone: make it a list of "
                             f'whole texts, and write "${{{piece}}}"')  # fmt: skip
            return Param(parameter_id(piece))
        if known := PLACE.get(piece) or self.own.get(piece):
            return known
        names = ", ".join([*sorted(self.parameters), *self.own, *PLACE])
        self._refuse(f"{whole!r}: there is no {piece!r}; those there are: {names}. A parameter is "
                     f"declared by [parameter.{piece or 'NAME'}]")  # fmt: skip
        raise AssertionError  # not reached

    def _refuse(self, message: str) -> None:
        raise ConfigurationError(f"{self.where}: {message}")
