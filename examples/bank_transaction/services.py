"""Service adapters of the bank: stand-ins that know two accounts."""

from __future__ import annotations

from decimal import Decimal

from examples.bank_transaction.workflow import (
    BALANCE,
    FRAUD,
    LEDGER,
    Balance,
    FraudReport,
    Receipt,
    Transfer,
)
from lambda_workflow import ServiceError, Task, serve

ACCOUNTS = {"alice": Decimal(1000), "bob": Decimal(20)}
SUSPICIOUS = Decimal(5000)


@serve(BALANCE)
async def look_up(account: str) -> Balance:
    """The balance of an account; an unknown one is an error that no retry mends."""
    if account not in ACCOUNTS:
        raise ServiceError(f"no account {account!r}", type="UnknownAccount", retryable=False)
    return Balance(amount=ACCOUNTS[account])


@serve(FRAUD)
async def check(order: Transfer) -> FraudReport:
    """Large transfers are suspicious."""
    score = float(min(Decimal(1), order.amount / SUSPICIOUS))
    return FraudReport(likely=score >= 1, score=score)


@serve(LEDGER)
def book(order: Transfer, task: Task) -> Receipt:
    """Book once: the task id is the same for every attempt, so it names the transaction."""
    return Receipt(transaction=task.task_id, amount=order.amount)
