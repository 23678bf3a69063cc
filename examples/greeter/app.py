"""Greet two people at the same time."""

from __future__ import annotations

import asyncio

from lambda_workflow import App, Context, Service, serve, workflow

GREETER = Service("greeter", str, str)


@workflow
async def greet(ctx: Context, names: tuple[str, str]) -> str:
    """Both greetings, in the order of the names."""
    first, second = await asyncio.gather(*(ctx.call(GREETER, name) for name in names))
    return f"{first} {second}"


@serve(GREETER)
async def say_hello(name: str) -> str:
    """A greeting."""
    return f"Hello, {name}!"


app = App("greeter", workflows=[greet], adapters=[say_hello])
