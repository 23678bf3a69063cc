"""The Lambda function of the workflow."""

from __future__ import annotations

from examples.node_adapter.app import app
from lambda_workflow.aws.handlers import lambda_handler

handler = lambda_handler(app)
