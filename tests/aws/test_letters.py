"""A dead letter keeps its body whole; the reason takes what room is left."""

from __future__ import annotations

import pytest

from lambda_workflow.aws.letters import ATTRIBUTES_MAX, _attributes
from lambda_workflow.model.limits import MESSAGE_BYTES_MAX
from lambda_workflow.runtime.batch import Record


def size_of(attributes: dict[str, dict[str, str]]) -> int:
    """As SQS counts: name, type and value."""
    return sum(
        len(name) + len(value["DataType"]) + len(value["StringValue"].encode())
        for name, value in attributes.items()
    )


@pytest.mark.parametrize("left", [0, 1, 12, 13, 14, 60, 10_000, MESSAGE_BYTES_MAX])
@pytest.mark.parametrize("character", ["x", "世"])
def test_body_and_reason_fit_together(left: int, character: str) -> None:
    body = "b" * (MESSAGE_BYTES_MAX - left)
    record = Record("m", body, "g", 3, {f"a{n}": "v" * 50 for n in range(12)})
    attributes = _attributes(record, f"ValueError: {character * 2_000}")
    assert len(body) + size_of(attributes) <= MESSAGE_BYTES_MAX
    assert len(attributes) <= ATTRIBUTES_MAX
    assert all(value["StringValue"] for value in attributes.values())
    if left >= 60:
        assert attributes["reason"]["StringValue"].startswith("ValueError: ")
