"""The entry point of the service functions."""

from __future__ import annotations

from lambda_workflow.aws.handlers import service_handler
from lambda_workflow_services.s3_object.adapter import s3_copy, s3_get, s3_put, s3_wait

handler = service_handler(s3_copy, s3_get, s3_put, s3_wait)
