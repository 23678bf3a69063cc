"""The entry point of the service's Lambda function."""

from __future__ import annotations

from lambda_workflow.aws.handlers import service_handler
from lambda_workflow_services.approval.adapter import approval

handler = service_handler(approval)
