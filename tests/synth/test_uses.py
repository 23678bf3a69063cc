"""What an App uses is found in its parts and in its workflows' code."""

from __future__ import annotations

import types
from typing import Any

from lambda_workflow import App, Context, RemoteWorkflow, workflow
from lambda_workflow.aws.synth.options import Options
from lambda_workflow.aws.synth.uses import uses_of
from tests.synth.apps import WASH, app, dry, launder, timed

SHIP = RemoteWorkflow("ship", str, str, app="harbour")
PACK = RemoteWorkflow("pack", str, str, app="store")
THANK = RemoteWorkflow("thank", str, str, app="office")
TABLED = [RemoteWorkflow("count", str, str, app="audit")]
CHOSEN = {"air": RemoteWorkflow("fly", str, str, app="airport")}
UNUSED = RemoteWorkflow("idle", str, str, app="idlers")
module = types.ModuleType("partners")
module.PACK = PACK  # type: ignore[attr-defined]  # made here


async def send(ctx: Context, parcel: str) -> str:
    return await ctx.call(SHIP, parcel)


def apps_of(*workflows: Any) -> tuple[str, ...]:
    return uses_of(App("here", workflows=workflows), Options()).apps


def test_an_app_that_a_workflow_calls_directly_is_found() -> None:
    assert uses_of(app, Options()).apps == ("accounts",)


def test_apps_are_found_behind_functions_and_in_nested_ones() -> None:
    @workflow
    async def deliver(ctx: Context, parcel: str) -> str:
        async def inner() -> str:
            return await send(ctx, parcel)

        return await inner()

    assert apps_of(deliver) == ("harbour",)


def test_apps_are_found_in_modules_closures_and_collections() -> None:
    @workflow
    async def through_a_module(ctx: Context, parcel: str) -> str:
        answer: str = await ctx.call(module.PACK, parcel)
        return answer

    thank = THANK

    @workflow
    async def through_a_closure(ctx: Context, parcel: str) -> str:
        return await ctx.call(thank, parcel)

    @workflow
    async def through_a_list(ctx: Context, parcel: str) -> str:
        return await ctx.call(TABLED[0], parcel)

    @workflow
    async def through_a_dict(ctx: Context, parcel: str) -> str:
        return await ctx.call(CHOSEN[parcel], parcel)

    @workflow
    async def through_a_workflow(ctx: Context, parcel: str) -> str:
        return await ctx.call(through_a_list, parcel)

    assert apps_of(through_a_module) == ("store",)
    assert apps_of(through_a_closure) == ("office",)
    assert apps_of(through_a_dict) == ("airport",)
    assert apps_of(through_a_workflow) == ("audit",)


def test_services_that_the_code_names_and_the_app_does_not_list_are_found() -> None:
    alone = App("here", workflows=[launder], services=[WASH], adapters=[dry])
    assert uses_of(alone, Options()).unlisted == (("launder", "iron"),)
    assert uses_of(app, Options()).unlisted == ()


def test_what_no_code_names_is_not_found_unless_the_options_name_it() -> None:
    @workflow
    async def quiet(ctx: Context, parcel: str) -> str:
        return parcel

    alone = App("here", workflows=[quiet])
    assert uses_of(alone, Options()).apps == ()
    assert uses_of(alone, Options(apps=("idlers",))).apps == ("idlers",)


def test_an_app_does_not_call_itself_from_elsewhere() -> None:
    assert uses_of(App("harbour", workflows=[workflow(send)]), Options()).apps == ()


def test_schedules_are_seen() -> None:
    assert uses_of(timed, Options()).schedules
    assert not uses_of(app, Options()).schedules
