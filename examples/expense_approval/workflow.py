"""An expense needs approval: the manager's, and if that takes too long the director's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from lambda_workflow import CallbackTimedOut, Context, Service, workflow

THREE_DAYS = timedelta(days=3)
WITHOUT_APPROVAL = 100


@dataclass(frozen=True)
class Expense:
    """What an employee has paid."""

    employee: str
    purpose: str
    amount: int
    manager: str
    director: str


@dataclass(frozen=True)
class Question:
    """What an approver is sent; whoever has the token may answer."""

    to: str
    expense: Expense
    token: str


@dataclass(frozen=True)
class Approval:
    """What an approver answers."""

    approved: bool
    note: str = ""


@dataclass(frozen=True)
class Decision:
    """What became of the expense, and who decided."""

    approved: bool
    by: str
    note: str = ""


ASK: Service[Question, None] = Service("ask-approver", Question, None)


@workflow
async def approve_expense(ctx: Context, expense: Expense) -> Decision:
    """The decision of the manager, else of the director, else a refusal."""
    if expense.amount <= WITHOUT_APPROVAL:
        return Decision(True, "policy", f"up to {WITHOUT_APPROVAL} nobody is asked")
    for approver in (expense.manager, expense.director):
        answer = ctx.callback(Approval, timeout=THREE_DAYS, name=approver)
        await ctx.call(ASK, Question(approver, expense, answer.token))
        ctx.set_status(f"waits for {approver}")
        try:
            approval = await answer
        except CallbackTimedOut:
            continue
        return Decision(approval.approved, approver, approval.note)
    return Decision(False, "policy", "nobody has answered")
