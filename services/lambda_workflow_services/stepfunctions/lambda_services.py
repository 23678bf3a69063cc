"""The service's Lambda function."""

from __future__ import annotations

from lambda_workflow.aws.handlers import service_handler
from lambda_workflow_services.stepfunctions.adapter import stepfunctions

handler = service_handler(stepfunctions)
