"""What an event's detail must be like."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lambda_workflow_services.eventbridge import Publish, Wait
from lambda_workflow_services.eventbridge.patterns import fits
from pydantic import BaseModel, ValidationError

DETAIL: dict[str, Any] = {
    "order": {"id": "7", "total": 12.5, "paid": True, "note": None, "a.b": 1},
    "items": [{"sku": "A-1"}, {"sku": "B-2", "tags": ["new", "red"]}],
    "none": [],
}


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({}, True),
        ({"order.id": "7"}, True),
        ({"order.id": 7}, False),
        ({"order.id": ["6", "7"]}, True),
        ({"order.total": 12.5}, True),
        ({"order.paid": True}, True),
        ({"order.paid": 1}, False),
        ({"order.note": None}, True),
        ({"order.a\\.b": 1}, True),
        ({"order.missing": None}, False),
        ({"order": "7"}, False),
        ({"items.sku": "B-2"}, True),
        ({"items.tags": "red"}, True),
        ({"items.sku": "C-3"}, False),
        ({"order.id": "7", "items.sku": "C-3"}, False),
        ({"items.sku": {"prefix": "B-"}}, True),
        ({"items.sku": {"suffix": "-3"}}, False),
        ({"items.sku": {"equals-ignore-case": "a-1"}}, True),
        ({"order.id": {"anything-but": "7"}}, False),
        ({"order.id": {"anything-but": ["5", "6"]}}, True),
        ({"order.missing": {"anything-but": "7"}}, False),
        ({"order.total": {"numeric": [">", 12, "<=", 12.5]}}, True),
        ({"order.total": {"numeric": ["<", 12]}}, False),
        ({"order.paid": {"numeric": ["=", 1]}}, False),
        ({"order.id": {"exists": True}}, True),
        ({"order.missing": {"exists": False}}, True),
        ({"order.id": {"exists": False}}, False),
        ({"none": {"exists": True}}, False),
        ({"order.missing": ["1", {"exists": False}]}, True),
    ],
)
def test_a_detail_fits_or_does_not(match: dict[str, Any], expected: bool) -> None:
    Wait(source="shop", detail_type="Paid", match=match)
    assert fits(match, DETAIL) is expected


@pytest.mark.parametrize(
    ("match", "why"),
    [
        ({"ip": {"cidr": "10.0.0.0/24"}}, "'cidr' is not supported"),
        ({"name": {"wildcard": "a*b"}}, "'wildcard' is not supported"),
        ({"$or": [{"a": ["1"]}]}, "'a' is not supported"),
        ({"a": {"prefix": "x", "suffix": "y"}}, "'prefix', 'suffix' is not supported"),
        ({"a": {"prefix": {"equals-ignore-case": "x"}}}, "'prefix' takes a text"),
        ({"a": {"anything-but": {"prefix": "x"}}}, "'anything-but' takes a value"),
        ({"a": {"numeric": [">", "1"]}}, "'numeric' takes"),
        ({"a": {"numeric": ["~", 1]}}, "'numeric' takes"),
        ({"a": {"exists": "yes"}}, "'exists' takes true or false"),
        ({"a": []}, "nothing can match"),
        ({"a": [["1"]]}, "a list within a list"),
        ({"a..b": 1}, "names with dots between"),
    ],
)
def test_what_is_not_supported_is_refused_by_name_where_it_is_written(
    match: dict[str, Any], why: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        Wait(source="shop", detail_type="Paid", match=match)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": ""},
        {"source": "a\nb"},
        {"timeout": timedelta(0)},
        {"timeout": timedelta(days=367)},
        {"since": datetime(2026, 1, 1)},  # noqa: DTZ001  # this is what is refused
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_wait_has_limits(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Wait(**{"source": "shop", "detail_type": "Paid", **wrong})


def test_a_model_is_a_detail() -> None:
    class Paid(BaseModel):
        at: datetime

    detail: Any = Paid(at=datetime(2026, 1, 1, tzinfo=UTC))
    event = Publish(source="shop", detail_type="Paid", detail=detail)
    assert event.detail == {"at": "2026-01-01T00:00:00Z"}


def test_the_sources_of_aws_are_its_own() -> None:
    with pytest.raises(ValidationError, match="AWS's own"):
        Publish(source="aws.s3", detail_type="Paid")
