"""An expense is approved by whoever answers first in their time, and refused if nobody does."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from examples.expense_approval.workflow import (
    ASK,
    Approval,
    Decision,
    Expense,
    Question,
    approve_expense,
)
from lambda_workflow import App, CallbackClosed, Client, serve
from lambda_workflow.local import Engine, SkippingClock

EXPENSE = Expense("ada", "books", 300, "grace", "alan")


async def follow_again(client: Client, token: str) -> None:
    """A link that is followed again and again."""
    while True:
        await client.complete_callback(token, Approval(False))
        await asyncio.sleep(0.01)


async def decide(
    expense: Expense, answers: dict[str, Approval]
) -> tuple[Decision, list[str], float]:
    """The decision, who was asked, and how many days that took."""
    asked: list[str] = []
    clock = SkippingClock()

    @serve(ASK)
    async def ask(question: Question) -> None:
        asked.append(question.to)
        if question.to in answers:
            await engine.client.complete_callback(question.token, answers[question.to])
            with pytest.raises(CallbackClosed):
                await follow_again(engine.client, question.token)

    app = App("expenses", workflows=[approve_expense], adapters=[ask])
    async with Engine(app, ":memory:", clock=clock, check=True, guard=True) as engine:
        before = clock.now()
        handle = await engine.client.start(approve_expense, expense)
        decision = await handle.result()
        return decision, asked, (clock.now() - before) / 86_400_000


async def test_small_expenses_need_nobody() -> None:
    decision, asked, _ = await decide(replace(EXPENSE, amount=100), {})
    assert decision.approved
    assert asked == []


@pytest.mark.parametrize("approved", [True, False])
async def test_the_manager_decides(approved: bool) -> None:
    decision, asked, days = await decide(EXPENSE, {"grace": Approval(approved, "well")})
    assert decision == Decision(approved, "grace", "well")
    assert asked == ["grace"]
    assert days < 1


async def test_after_three_days_the_director_is_asked() -> None:
    decision, asked, days = await decide(EXPENSE, {"alan": Approval(True)})
    assert decision == Decision(True, "alan")
    assert asked == ["grace", "alan"]
    assert 3 <= days < 4


async def test_after_six_days_without_an_answer_it_is_refused() -> None:
    decision, asked, days = await decide(EXPENSE, {})
    assert not decision.approved
    assert asked == ["grace", "alan"]
    assert 6 <= days < 7
