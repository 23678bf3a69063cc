"""A service function for test_lambda_runtime.py: it sleeps as long as it is told."""

from __future__ import annotations

import asyncio

from lambda_workflow import Service, serve
from lambda_workflow.aws.handlers import service_handler

SLOW = Service("slow", int, int)


@serve(SLOW)
async def sleep(seconds: int) -> int:
    """Longer than the function may take, if the payload says so."""
    await asyncio.sleep(seconds)
    return seconds


handler = service_handler(sleep)
