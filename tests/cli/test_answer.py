"""`lambda-workflow answer`: a human's answer from another process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from examples.expense_approval.workflow import ASK, Decision, Expense, Question, approve_expense
from lambda_workflow import App, serve
from lambda_workflow.local import Engine
from tests.cli.command import call
from tests.patience import patient

EXPENSE = Expense("ada", "books", 300, "grace", "alan")


async def answer(path: Path, *arguments: str) -> tuple[int, str]:
    """The exit code and standard error of the command."""
    done = await asyncio.to_thread(call, path.parent, "answer", "--db", str(path), *arguments)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("arguments", "decision"),
    [
        (["--result", '{"approved": true, "note": "fine"}'], Decision(True, "grace", "fine")),
        (["--fail", "Refused", "no budget"], None),
    ],
)
async def test_the_answer_reaches_the_workflow(
    tmp_path: Path, arguments: Sequence[str], decision: Decision | None
) -> None:
    tokens: asyncio.Queue[str] = asyncio.Queue()

    @serve(ASK)
    async def ask(question: Question) -> None:
        tokens.put_nowait(question.token)

    app = App("expenses", workflows=[approve_expense], adapters=[ask])
    path = tmp_path / "db"
    async with Engine(app, path) as engine:
        handle = await engine.client.start(approve_expense, EXPENSE)
        token = await tokens.get()
        assert await answer(path, "--heartbeat", "--", token) == (0, "the heartbeat is sent\n")
        code, told = await answer(path, "--result", '{"approved": "perhaps"}', "--", token)
        assert (code, "approved: found string, allowed boolean" in told) == (2, True)
        code, told = await answer(path, *arguments, "--", token)
        assert (code, "the answer is sent" in told) == (0, True)
        if decision is not None:
            assert await handle.result(patient(30)) == decision
        else:
            with pytest.raises(Exception, match="Refused: no budget"):
                await handle.result(patient(30))
        code, told = await answer(path, "--result", "1", "--", token)
        assert code == 2
        assert "has ended" in told


async def test_what_is_no_token_or_no_json_is_wrong_use(tmp_path: Path) -> None:
    path = tmp_path / "db"
    async with Engine(App("none", workflows=[]), path):
        code, told = await answer(path, "--result", "1", "nonsense")
        assert (code, "no callback token" in told) == (2, True)
        code, told = await answer(path, "--result", "{", "token")
        assert (code, "not JSON" in told) == (2, True)
