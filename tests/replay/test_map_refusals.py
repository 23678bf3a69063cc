"""ctx.map and ctx.parallel refuse at the call what can have no meaning, and say what to give."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_workflow import ConfigurationError, Context
from tests.replay.driving import DOUBLE, drive, flow, result


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"limit": 0}, "map: limit is 0: give a whole number from 1"),
        ({"limit": True}, "limit is True"),
        ({"limit": 2.5}, "limit is 2.5"),
        ({"min_successful": 0}, "min_successful is 0: give a whole number from 1 to 3"),
        ({"min_successful": 4}, "there are 3 items"),
        ({"tolerated_failures": -1}, "tolerated_failures is -1: give a whole number from 0"),
        ({"tolerated_failure_percentage": 101}, "give a number from 0 to 100"),
        ({"tolerated_failure_percentage": -1}, "tolerated_failure_percentage is -1"),
        ({"tolerated_failure_percentage": "5"}, "tolerated_failure_percentage is '5'"),
        ({"tolerated_failure_percentage": float("nan")}, "is nan"),
        ({"name": 7}, "map name is 7: give text"),
    ],
)
def test_a_bad_threshold_is_refused_at_the_call(options: dict[str, Any], told: str) -> None:
    async def code(ctx: Context, n: int) -> Any:
        with pytest.raises(ConfigurationError) as caught:
            _ = ctx.map(DOUBLE, range(3), **options)  # not awaited
        return str(caught.value)

    assert told in result(drive(flow(code)))


@pytest.mark.parametrize(
    ("target", "items", "told"),
    [
        (DOUBLE, {1, 2}, "give a list, such as sorted(items)"),
        (DOUBLE, "12", "give a list, such as [text]"),
        (None, [1], "None is no target"),
        (DOUBLE, range(100_001), "more than 100000 items"),
    ],
)
def test_a_bad_target_or_set_of_items_is_refused(target: Any, items: Any, told: str) -> None:
    async def code(ctx: Context, n: int) -> Any:
        with pytest.raises(ConfigurationError) as caught:
            _ = ctx.map(target, items)
        return str(caught.value)

    assert told in result(drive(flow(code)))
