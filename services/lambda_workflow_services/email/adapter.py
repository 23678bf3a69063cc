"""The adapter of the service `email`."""

from __future__ import annotations

import asyncio
from typing import Final
from weakref import WeakKeyDictionary

from lambda_workflow import Task, serve
from lambda_workflow_services.email import EMAIL, Mail, Sent
from lambda_workflow_services.email.mailer import Mailer
from lambda_workflow_services.email.settings import read_settings

_mailers: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, Mailer]] = WeakKeyDictionary()


@serve(EMAIL)
async def email(mail: Mail, task: Task) -> Sent:
    """Send a mail; the settings are read at the first task."""
    loop = asyncio.get_running_loop()
    if loop not in _mailers:
        _mailers[loop] = Mailer(read_settings())
    return await _mailers[loop].mail(mail, task.task_id)
