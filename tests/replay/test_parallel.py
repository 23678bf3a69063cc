"""ctx.parallel: different branches side by side, by name or in a list."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_workflow import BatchFailed, ConfigurationError, Context, ItemStatus
from tests.replay.driving import (
    DOUBLE,
    OTHER,
    REFUSING,
    drive,
    every_order,
    flow,
    ids,
    replays,
    result,
)


async def by_name(ctx: Context, n: int) -> Any:
    async def thorough(ctx: Context) -> int:
        return await ctx.call(OTHER, await ctx.call(DOUBLE, n))

    batch = await ctx.parallel({"quick": lambda ctx: ctx.call(DOUBLE, n), "thorough": thorough})
    return {item.name: item.value for item in batch}


def test_branches_give_their_results_in_order_whatever_ends_first() -> None:
    shape = flow(by_name)
    for turns in every_order(shape):
        assert result(turns) == {"quick": 6, "thorough": 12}
        assert sorted(ids(turns)) == ["1.1.1", "1.2.1", "1.2.2"]
        replays(shape, turns)


def test_a_branch_is_found_by_name_and_by_place() -> None:
    async def code(ctx: Context, n: int) -> Any:
        batch = await ctx.parallel(
            {"good": lambda ctx: ctx.call(DOUBLE, 1), "bad": lambda ctx: ctx.call(REFUSING, 1)},
            name="pair",
        )
        assert batch["bad"] is batch[1]
        with pytest.raises(KeyError, match="parallel 'pair' has no item 'ugly'"):
            batch["ugly"]
        with pytest.raises(BatchFailed, match=r"1 of 2 items of parallel 'pair' failed .* 'bad'"):
            batch.raise_if_failed()
        return [batch["good"].value, batch["bad"].status.value]

    assert result(drive(flow(code))) == [2, "FAILED"]


@pytest.mark.parametrize("empty", [[], {}])
def test_no_branches_complete_at_once(empty: Any) -> None:
    async def code(ctx: Context, n: int) -> Any:
        return (await ctx.parallel(empty)).results()

    assert result(drive(flow(code))) == []


def test_the_first_of_several_ends_the_others() -> None:
    async def code(ctx: Context, n: int) -> Any:
        batch = await ctx.parallel(
            [lambda ctx: ctx.call(DOUBLE, 1), lambda ctx: ctx.call(OTHER, 2), by_name_of(n)],
            min_successful=1, limit=2,
        )  # fmt: skip
        return [item.status.value for item in batch]

    def by_name_of(n: int) -> Any:
        return lambda ctx: by_name(ctx, n)

    shape = flow(code)
    for turns in every_order(shape):
        first, second, third = result(turns)
        assert {first, second} == {ItemStatus.SUCCEEDED, ItemStatus.CANCELLED}
        assert third == ItemStatus.NOT_STARTED
        replays(shape, turns)


def test_what_is_no_branch_is_refused() -> None:
    async def code(ctx: Context, n: int) -> Any:
        branch: Any = DOUBLE
        with pytest.raises(ConfigurationError) as caught:
            _ = ctx.parallel([branch])
        with pytest.raises(ConfigurationError, match="parallel: limit is 0"):
            _ = ctx.parallel([by_branch], limit=0)
        return str(caught.value)

    async def by_branch(ctx: Context) -> None: ...

    assert "give async functions of the context" in result(drive(flow(code)))
