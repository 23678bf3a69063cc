"""The life of an execution: a table, the history that obeys it, and the diagram in the docs."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from lambda_workflow.model.events import Started, TimerFired
from lambda_workflow.model.history import History
from lambda_workflow.model.lifecycle import TRANSITIONS, Status, diagram
from lambda_workflow.model.turn import Turn

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAIRS = list(itertools.product(Status, Status))


def turn(number: int, status: Status) -> Turn:
    event = Started(0, "flow", 1, 1) if number == 1 else TimerFired(0, str(number))
    return Turn(number, 0, (event,), (), status)


def test_the_table_has_every_status_and_an_end_has_nothing_after_it() -> None:
    assert set(TRANSITIONS) == set(Status)
    assert {status for status in Status if not status.closed} == {
        Status.RUNNING,
        Status.BLOCKED,
        Status.PAUSED,
    }


def test_every_status_can_be_reached_and_left_towards_an_end() -> None:
    reached = {Status.RUNNING}
    for _ in Status:
        reached |= {after for status in reached for after in TRANSITIONS[status]}
    assert reached == set(Status)
    assert all(status.closed or any(s.closed for s in TRANSITIONS[status]) for status in Status)


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_a_history_takes_what_the_table_allows_and_nothing_else(
    before: Status, after: Status
) -> None:
    history = History("e", [turn(1, before)])
    if after in TRANSITIONS[before]:
        history.append(turn(2, after))
        assert history.status is after
    else:
        with pytest.raises(ValueError, match=f"turn 2 .{after}. does not follow turn 1 .{before}."):
            history.append(turn(2, after))
        assert history.status is before


def test_the_diagram_has_one_arrow_for_each_change_in_the_table() -> None:
    arrows = {line.strip() for line in diagram().splitlines() if "-->" in line}
    changes = {
        f"{before} --> {after}" for before in Status for after in TRANSITIONS[before] - {before}
    }
    ends = {f"{status} --> [*]" for status in Status if status.closed}
    assert arrows == changes | ends | {"[*] --> RUNNING"}


def test_the_docs_show_this_very_diagram() -> None:
    text = (DOCS / "design.md").read_text(encoding="utf-8")
    assert f"```mermaid\n{diagram()}\n```" in text, "put the output of lifecycle.diagram() there"
