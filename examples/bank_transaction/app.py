"""The bank's App: what `lambda-workflow run` and the worker load."""

from __future__ import annotations

from examples.bank_transaction.services import book, check, look_up
from examples.bank_transaction.workflow import transfer
from lambda_workflow import App

app = App("bank", workflows=[transfer], adapters=[look_up, check, book])
