"""The entry point of the service functions."""

from __future__ import annotations

from lambda_workflow.aws.handlers import service_handler
from lambda_workflow_services.eventbridge.adapter import publish, wait

handler = service_handler(publish, wait)
