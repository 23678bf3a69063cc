"""The App: what `lambda-workflow run` and the worker load."""

from __future__ import annotations

from examples.expense_approval.services import ask_approver
from examples.expense_approval.workflow import approve_expense
from lambda_workflow import App

app = App("expenses", workflows=[approve_expense], adapters=[ask_approver])
