"""The adapter of the service `http`."""

from __future__ import annotations

import asyncio
from typing import Final
from weakref import WeakKeyDictionary

from lambda_workflow import Task, serve
from lambda_workflow_services.http import HTTP, HttpRequest, HttpResponse
from lambda_workflow_services.http.sender import Sender
from lambda_workflow_services.http.settings import read_settings

_senders: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, Sender]] = WeakKeyDictionary()


@serve(HTTP)
async def http(request: HttpRequest, task: Task) -> HttpResponse:
    """Send an HTTP request; the settings are read at the first task."""
    loop = asyncio.get_running_loop()
    if loop not in _senders:
        _senders[loop] = Sender(read_settings())
    return await _senders[loop].send(request, task.task_id)
