"""A deployment in mid-run: the worker goes, and one with other code takes over."""

from __future__ import annotations

from functools import partial
from typing import Any

from lambda_workflow import App
from lambda_workflow.runtime.client import Client
from tests.operations.host import Host, real_pause


async def redeploy(host: Host, app: App) -> Client:
    """Go on with another App on the same backend; the client to use from now on."""
    within: Any = host
    if host.name == "sqlite":
        made = within._make
        within._make = partial(made.func, app, *made.args[1:], **made.keywords)
        return await host.crash()
    within._app = app
    before = await host.crash()
    host.client = Client(app, before.backend, wait=real_pause)
    return host.client
