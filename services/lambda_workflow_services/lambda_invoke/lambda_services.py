"""The service's Lambda function."""

from __future__ import annotations

from lambda_workflow.aws.handlers import service_handler
from lambda_workflow_services.lambda_invoke.adapter import lambda_invoke

handler = service_handler(lambda_invoke)
