"""The Lambda function of the service `email`."""

from __future__ import annotations

from lambda_workflow.aws.handlers import service_handler
from lambda_workflow_services.email.adapter import email

handler = service_handler(email)
