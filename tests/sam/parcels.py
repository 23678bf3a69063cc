"""An App as it was, and as it is today: a service more, one less, a workflow changed by a patch.

`earlier/template.yaml` is the template of the App as it was, made by an earlier version of this
package; it is not made again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from lambda_workflow import App, Context, Service, serve, workflow
from lambda_workflow.aws.handlers import lambda_handler, service_handler

NAP: Final = timedelta(minutes=5)  # a message in the delay queue
NIGHT: Final = timedelta(hours=2)  # a schedule
PACK = Service("pack", str, str)
STAMP = Service("stamp", str, str, attempt_timeout=timedelta(minutes=10))
WEIGH = Service("weigh", str, int)

# What was chosen, and what is chosen today.
HANDLERS: Final = {
    "workflow": {"handler": "tests.sam.parcels.handler"},
    "services": {"handler": "tests.sam.parcels.services_handler"},
}
OPTIONS_EARLIER: Final[dict[str, Any]] = {"bucket": True, "responses": True, **HANDLERS}
OPTIONS: Final[dict[str, Any]] = {
    **OPTIONS_EARLIER, "retention_days": 60, "log_days": 60,
    "services": {**HANDLERS["services"], "memory": 256, "batch": 5},
}  # fmt: skip


@workflow(name="deliver")
async def deliver_earlier(ctx: Context, parcel: str) -> str:
    packed = await ctx.call(PACK, parcel)
    await ctx.sleep(NAP)
    await ctx.sleep(NIGHT)
    return packed[-6:]


@workflow(name="write")
async def write_earlier(ctx: Context, letter: str) -> str:
    return await ctx.call(STAMP, letter)


@workflow
async def deliver(ctx: Context, parcel: str) -> str:
    if ctx.patched("weigh-first"):
        await ctx.call(WEIGH, parcel)
    packed = await ctx.call(PACK, parcel)
    await ctx.sleep(NAP)
    await ctx.sleep(NIGHT)
    return packed[-6:]


@workflow
async def write(ctx: Context, letter: str) -> str:
    return await ctx.call(PACK, letter)


@serve(PACK)
async def pack(parcel: str) -> str:
    return f"{parcel} packed"


@serve(STAMP)
async def stamp(letter: str) -> str:
    return f"{letter} stamped"


@serve(WEIGH)
async def weigh(parcel: str) -> int:
    return len(parcel)


earlier = App("parcels", workflows=[deliver_earlier, write_earlier], adapters=[pack, stamp])
app = App("parcels", workflows=[deliver, write], adapters=[pack, weigh])
handler = lambda_handler(app)
services_handler = service_handler(pack, stamp, weigh)
