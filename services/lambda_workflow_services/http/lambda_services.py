"""The Lambda function of the service `http`."""

from __future__ import annotations

from lambda_workflow.aws.handlers import service_handler
from lambda_workflow_services.http.adapter import http

handler = service_handler(http)
