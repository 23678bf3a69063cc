"""The Lambda function of the bank's services: one for all three queues, or one for each."""

from __future__ import annotations

from examples.bank_transaction.services import book, check, look_up
from lambda_workflow.aws.handlers import service_handler

handler = service_handler(look_up, check, book)
