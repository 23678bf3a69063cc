"""The Lambda functions of the services: one for each, and this handler in all of them."""

from __future__ import annotations

from examples.expense_approval.app import app
from lambda_workflow.aws.handlers import service_handler

handler = service_handler(*app.adapters.values())
