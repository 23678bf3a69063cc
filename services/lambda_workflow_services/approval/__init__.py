"""The contract of the service `approval`: a question to a human, and the link to its page.

The call returns as soon as there is a link. The answer, a Decision, is that of the callback whose
token the question carries: `await ctx.callback(Decision, …)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal, get_args

from lambda_workflow import RetryPolicy, Service

__all__ = ["APPROVAL", "Choice", "Decision", "Link", "Question"]

Language = Literal["de", "en", "es", "fr"]

TITLE_CHARACTERS_MAX: Final = 200
TEXT_CHARACTERS_MAX: Final = 10_000
FACTS_MAX: Final = 50
FACT_NAME_CHARACTERS_MAX: Final = 100
FACT_CHARACTERS_MAX: Final = 1_000
CHOICES_MAX: Final = 6  # buttons that fit a phone's screen
LABEL_CHARACTERS_MAX: Final = 60
COMMENT_CHARACTERS_MAX: Final = 2_000
NAME_CHARACTERS_MAX: Final = 100

_VALUE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def _seen(text: str) -> str:
    """What a reader sees of a text: signs without a width, such as U+200B, are nothing to them."""
    return " ".join("".join(s for s in text if s.isprintable() or s.isspace()).split())


def _is_line(text: Any, characters_max: int) -> bool:
    return isinstance(text, str) and bool(_seen(text)) and len(text) <= characters_max


def _kind(given: Any) -> str:
    return type(given).__name__


@dataclass(frozen=True, slots=True)
class Choice:
    """A button.

    Args:
        value: what `Decision.choice` will be: 1 to 64 letters, digits, '-' and '_'.
        label: what the button says.
        approves: what `Decision.approved` will be.
    """

    value: str
    label: str
    approves: bool = False

    def __post_init__(self) -> None:
        if wrong := list(self._wrong()):
            raise ValueError(f"choice {self.value!r}: {'; '.join(wrong)}")

    def _wrong(self) -> Iterator[str]:
        value: Any = self.value
        approves: Any = self.approves
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            yield "its value must be 1 to 64 letters, digits, '-' and '_'"
        if not _is_line(self.label, LABEL_CHARACTERS_MAX):
            yield f"its label must have 1 to {LABEL_CHARACTERS_MAX} characters"
        if not isinstance(approves, bool):
            yield f"approves must be True or False, and is {_kind(approves)}"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. All texts are plain text: nothing in them is read as markup.

    Args:
        title: what is to be decided, in a line.
        token: of the callback that the answer goes to: `callback.token`.
        text: what one has to know; its line breaks are kept.
        facts: shown as a table, in their order: {"Amount": "120 EUR"}.
        choices: 1 to 6 buttons; Approve and Reject if there are none.
        expires: until when the link works, in any zone; seven days from now if not given. The
            callback's own timeout is the right moment.
        language: of the page's own words, and of the buttons Approve and Reject.
    """

    title: str
    token: str
    text: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    choices: tuple[Choice, ...] = ()
    expires: datetime | None = None
    language: Language = "en"

    def __post_init__(self) -> None:
        if wrong := list(self._wrong()):
            raise ValueError(f"this question cannot be asked: {'; '.join(wrong)}")

    def _wrong(self) -> Iterator[str]:
        yield from self._wrong_texts()
        yield from self._wrong_facts()
        yield from self._wrong_choices()
        expires: Any = self.expires
        if expires is not None and not isinstance(expires, datetime):
            yield f"`expires` must be a datetime, and is {_kind(expires)}: say until when"
        elif expires is not None and expires.utcoffset() is None:
            yield "`expires` has no time zone: give it one, as `ctx.now() + timedelta(days=3)` has"
        if self.language not in get_args(Language):
            yield f"its language must be one of {', '.join(get_args(Language))}"

    def _wrong_texts(self) -> Iterator[str]:
        for name in ("title", "token", "text"):
            if not isinstance(given := getattr(self, name), str):
                yield f"its {name} must be a str, and is {_kind(given)}"
        title: Any = self.title
        text: Any = self.text
        if isinstance(title, str) and not _is_line(title, TITLE_CHARACTERS_MAX):
            yield f"its title must have 1 to {TITLE_CHARACTERS_MAX} characters"
        if self.token == "":
            yield "it has no token: pass that of a callback, `callback.token`"
        if isinstance(text, str) and len(text) > TEXT_CHARACTERS_MAX:
            yield f"its text is longer than {TEXT_CHARACTERS_MAX} characters"

    def _wrong_facts(self) -> Iterator[str]:
        facts: Any = self.facts
        if not isinstance(facts, dict):
            yield f'its facts must be a dict, {{"Amount": "120 EUR"}}, and are {_kind(facts)}'
            return
        if len(facts) > FACTS_MAX:
            yield f"it has more than {FACTS_MAX} facts"
        for name, fact in facts.items():
            if not isinstance(name, str) or not isinstance(fact, str):
                yield (
                    f"fact {str(name)[:40]!r}: its name and its value must be a str, and are "
                    f"{_kind(name)} and {_kind(fact)}: write the value as it is to be read, "
                    '{"Amount": "120 EUR"}'
                )
            elif not 0 < len(name) <= FACT_NAME_CHARACTERS_MAX or len(fact) > FACT_CHARACTERS_MAX:
                yield (
                    f"fact {name[:40]!r}: its name must have 1 to {FACT_NAME_CHARACTERS_MAX} "
                    f"characters, its value at most {FACT_CHARACTERS_MAX}"
                )

    def _wrong_choices(self) -> Iterator[str]:
        choices: Any = self.choices
        if not isinstance(choices, tuple) or not all(isinstance(c, Choice) for c in choices):
            yield (
                "its choices must be a tuple of Choice: "
                '(Choice("yes", "Yes", approves=True), Choice("no", "No"))'
            )
            return
        if len(self.choices) > CHOICES_MAX:
            yield f"it has more than {CHOICES_MAX} choices"
        if len({choice.value for choice in self.choices}) < len(self.choices):
            yield "two of its choices have the same value"
        if len({_seen(choice.label) for choice in self.choices}) < len(self.choices):
            yield "two of its choices look the same: give them labels of their own"


@dataclass(frozen=True, slots=True)
class Link:
    """Where the question is answered. Who has the URL may answer, once."""

    url: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer.

    Attributes:
        approved: whether the choice is one that approves.
        choice: the value of the choice: "approve" or "reject", or one of the question's own.
        comment: as it was typed; may have several lines.
        by: the name that was typed; nobody has checked it.
        at: when the button was pressed; None if the callback was answered in another way.
    """

    approved: bool
    choice: str = ""
    comment: str = ""
    by: str = ""
    at: datetime | None = None


APPROVAL: Final[Service[Question, Link]] = Service(
    "approval",
    Question,
    Link,
    timeout=timedelta(hours=1),
    retry=RetryPolicy(attempts=5),
)
