"""The Lambda function of the workflow: contracts and code, no adapters."""

from __future__ import annotations

from examples.bank_transaction.workflow import BALANCE, FRAUD, LEDGER, transfer
from lambda_workflow import App
from lambda_workflow.aws.handlers import lambda_handler

app = App("bank", workflows=[transfer], services=[BALANCE, FRAUD, LEDGER])
handler = lambda_handler(app)
