"""The service's Lambda function."""

from __future__ import annotations

from lambda_workflow.aws.handlers import service_handler
from lambda_workflow_services.ecs_task.adapter import ecs_task

handler = service_handler(ecs_task)
