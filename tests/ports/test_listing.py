"""The listing of every backend."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.payload import Json
from lambda_workflow.ports import Header, Query
from tests.ports.harness import Harness
from tests.ports.made import header_of, start

DAY = 86_400_000
BASE = 1_770_000_000_000


async def listed(harness: Harness, query: Query) -> list[Header]:
    """All headers of a query, page by page, as a client reads them."""
    headers: list[Header] = []
    for _ in range(100):
        page = await harness.backend.store.list(query)
        assert len(page.headers) <= query.limit
        headers += page.headers
        if page.cursor is None:
            return headers
        query = replace(query, cursor=page.cursor)
    raise AssertionError("the listing has no end")


async def test_nothing_is_listed_of_nothing(harness: Harness) -> None:
    assert await listed(harness, Query()) == []


async def test_the_newest_come_first(harness: Harness) -> None:
    headers = [header_of(f"e{n}", BASE + (n * 7 % 10) * 1000) for n in range(10)]
    for header in headers:
        await start(harness, header)
    expected = sorted(headers, key=lambda header: -header.started_at)
    assert await listed(harness, Query()) == expected


@pytest.mark.parametrize("limit", [1, 3, 10, 11])
async def test_pages_show_each_execution_once(harness: Harness, limit: int) -> None:
    headers = [header_of(f"e{n}", BASE + n // 3) for n in range(11)]  # three share each moment
    for header in headers:
        await start(harness, header)
    seen = await listed(harness, Query(limit=limit))
    assert [header.started_at for header in seen] == sorted(
        (header.started_at for header in headers), reverse=True
    )
    assert sorted(header.execution_id for header in seen) == sorted(
        header.execution_id for header in headers
    )


async def test_filters_choose_by_workflow_status_and_time(harness: Harness) -> None:
    statuses = list(Status)
    headers = [
        header_of(f"{workflow}-{status}-{day}", BASE + day * DAY, workflow=workflow, status=status)
        for workflow in ("pay", "ship")
        for status in statuses
        for day in range(2)
    ]
    for header in headers:
        await start(harness, header)
    for workflow in (None, "pay", "ship", "nothing"):
        for status in (None, *statuses):
            found = await listed(harness, Query(workflow, status, limit=3))
            expected = {
                h.execution_id
                for h in headers
                if workflow in (None, h.workflow) and status in (None, h.status)
            }
            assert {header.execution_id for header in found} == expected
            assert len(found) == len(expected)


async def test_the_time_range_is_open_at_both_ends(harness: Harness) -> None:
    for day in range(5):
        await start(harness, header_of(f"day{day}", BASE + day * DAY))
    query = Query(started_after=BASE + DAY, started_before=BASE + 4 * DAY, workflow="flow")
    assert [h.execution_id for h in await listed(harness, query)] == ["day3", "day2"]
    query = Query(started_after=BASE + 3 * DAY)
    assert [h.execution_id for h in await listed(harness, query)] == ["day4"]


async def test_a_change_of_status_moves_an_execution_in_the_listing(harness: Harness) -> None:
    running = header_of("e", BASE)
    await start(harness, running)
    blocked = header_of("e", BASE, status=Status.BLOCKED, turn=2)
    await harness.backend.store.put_header(blocked)
    assert await listed(harness, Query(status=Status.RUNNING)) == []
    assert await listed(harness, Query(status=Status.BLOCKED)) == [blocked]
    completed = header_of("e", BASE, status=Status.COMPLETED, turn=3)
    await harness.backend.store.put_header(completed)
    await harness.backend.store.put_header(blocked)  # comes late, and is ignored
    assert await listed(harness, Query(status=Status.BLOCKED)) == []
    assert await listed(harness, Query(status=Status.COMPLETED)) == [completed]
    assert await listed(harness, Query()) == [completed]


async def test_an_execution_that_ends_while_it_is_listed_is_listed_once(harness: Harness) -> None:
    store = harness.backend.store
    for number in range(12):
        await start(harness, header_of(f"e{number}", BASE + number))
        ended = header_of(f"e{number}", BASE + number, status=Status.COMPLETED, turn=2)
        pages = await asyncio.gather(
            *(store.list(Query()) for _ in range(4)), store.put_header(ended)
        )
        for page in pages[:-1]:
            assert page is not None
            assert [h.execution_id for h in page.headers] == [
                f"e{n}" for n in range(number, -1, -1)
            ]


TOLD = {"done": 3, "of": [None, 1.5, "ä\u2028\\"], "": {}}


@pytest.mark.parametrize("told", [TOLD, [], 0, "", False, "x" * 10_000])
async def test_what_an_execution_was_given_and_says_of_itself_is_listed(
    harness: Harness, told: Json
) -> None:
    header = header_of("e", BASE, custom=told, tags={"team": "blue", "päd": "'\""}, memo=told)
    await start(harness, header)
    assert await harness.backend.store.header("e") == header
    assert await listed(harness, Query()) == [header]
    later = replace(header, turn=2, custom={"done": 4})
    await harness.backend.store.put_header(later)
    assert await harness.backend.store.header("e") == later


async def test_tags_choose_what_has_them_all(harness: Harness) -> None:
    headers = [
        header_of(f"{team}{size}", BASE + n, tags={"team": team, "size": size})
        for n, (team, size) in enumerate((t, s) for t in ("red", "blue") for s in "123456")
    ]
    headers.append(header_of("plain", BASE))
    for header in headers:
        await start(harness, header)

    async def found(limit: int = 4, **tags: str) -> set[str]:
        headers = await listed(harness, Query(limit=limit, tags=tags))
        assert len({header.execution_id for header in headers}) == len(headers)
        return {header.execution_id for header in headers}

    assert await found(team="blue") == {f"blue{n}" for n in "123456"}
    assert await found(team="blue", size="4") == {"blue4"}
    assert await found(size="4", limit=1) == {"red4", "blue4"}
    assert await found(team="Blue") == await found(color="red") == await found(team="") == set()
    assert len(await found(limit=100)) == 13
    query = Query("flow", Status.RUNNING, started_after=BASE + 8, tags={"team": "blue"})
    assert [h.execution_id for h in await listed(harness, query)] == ["blue6", "blue5", "blue4"]
