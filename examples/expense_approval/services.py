"""The mail with the link: a stand-in that prints it."""

from __future__ import annotations

import sys

from examples.expense_approval.workflow import ASK, Question
from lambda_workflow import serve


@serve(ASK)
async def ask_approver(question: Question) -> None:
    """The link would lead to a page that answers with the token."""
    expense = question.expense
    what = f"{expense.employee}: {expense.amount} for {expense.purpose}"
    print(f"to {question.to}: {what}\n  token: {question.token}", file=sys.stderr)
