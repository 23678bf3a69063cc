"""What an earlier version recorded replays with today's code.

To record a further one: `lambda-workflow run …`, then `lambda-workflow history export ID --output
tests/histories/EXAMPLE-CASE.json`, and take the paths of your machine out of it. A file that is
here is never recorded again: that it still replays is the point.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from lambda_workflow.local import Engine, SkippingClock
from lambda_workflow.model.events import BlobRef
from lambda_workflow.model.exported import read_history, write_history
from lambda_workflow.model.history import History
from lambda_workflow.model.payload import codec_for
from lambda_workflow.runtime.schedule import Shown
from lambda_workflow.testing.histories import assert_replays
from tests.histories import schedules, vocabulary

FOLDER = Path(__file__).parent
EXAMPLES = FOLDER.parents[1] / "examples"
FILES = sorted(FOLDER.glob("*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_recorded_history_replays(file: Path) -> None:
    name = file.stem.partition("-")[0]
    is_ours = name in ("vocabulary", "schedules")
    room = f"tests.histories.{name}" if is_ours else f"examples.{name}.app"
    app = importlib.import_module(room).app
    assert assert_replays(app, file) == [file]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_says_the_same_when_it_is_exported_again(file: Path) -> None:
    history = read_history(file.read_text("utf-8"))
    again = read_history(write_history(history))
    assert (again.execution_id, again.turns) == (history.execution_id, history.turns)


def test_the_first_examples_have_one() -> None:
    recorded = {file.stem.partition("-")[0] for file in FILES}
    assert recorded >= {"bank_transaction", "greeter", "remind_user"}


@pytest.mark.parametrize(
    "file", sorted(FOLDER.glob("schedules-*.json")), ids=lambda file: file.stem
)
def test_a_schedule_made_by_an_earlier_version_is_unchanged_for_a_deployment(file: Path) -> None:
    history = read_history(file.read_text("utf-8"))
    plans = {"schedule:queued": schedules.queued.plan, "schedule:skipping": schedules.latest.plan}
    assert not isinstance(history.custom_status, BlobRef)
    said = codec_for(Shown).decode(history.custom_status, "status")
    assert (said.digest, said.missed, said.jitter) == (plans[history.execution_id].digest, 0, None)


async def test_the_workflow_that_does_everything_is_recorded_as_it_was() -> None:
    kinds = [kinds_of(read_history((FOLDER / "vocabulary-declared.json").read_text()))]
    async with Engine(vocabulary.app, ":memory:", clock=SkippingClock(), check=True) as engine:
        result = await vocabulary.play(engine.client)
        kinds.append(kinds_of(await engine.client.history("vocabulary")))
    assert result[:3] == ["a", "b", 42]
    assert kinds[0] == kinds[1]


def kinds_of(history: History) -> set[str]:
    """What the turns hold."""
    facts = [*history.events(), *(command for turn in history.turns for command in turn.commands)]
    return {type(fact).__name__ for fact in facts}
