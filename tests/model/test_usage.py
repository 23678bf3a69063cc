"""Units: sums, and what a request of some bytes costs."""

from __future__ import annotations

import pytest

from lambda_workflow.model.usage import Usage, read_units, write_units


def test_usages_add_field_by_field() -> None:
    one, two = Usage(1, 2, 3, 4, 5, 6, 7), Usage(10, 20, 30, 40, 50, 60, 70)
    assert one + two == Usage(11, 22, 33, 44, 55, 66, 77)
    assert one + two == two + one
    assert one + Usage() == one
    assert (one, two) == (Usage(1, 2, 3, 4, 5, 6, 7), Usage(10, 20, 30, 40, 50, 60, 70))


def test_the_counts_are_written_in_the_order_of_their_names() -> None:
    usage = Usage(writes=1, reads=2, sends=3, receives=4, deletes=5, invocations=6, bytes=7)
    assert usage.to_json() == [1, 2, 3, 4, 5, 6, 7]
    assert Usage(*usage.to_json()) == usage


@pytest.mark.parametrize(
    ("size", "units"), [(0, 1), (1, 1), (1024, 1), (1025, 2), (2048, 2), (400_000, 391)]
)
def test_a_write_costs_a_unit_for_each_started_kilobyte(size: int, units: int) -> None:
    assert write_units(size) == units


@pytest.mark.parametrize(("size", "units"), [(0, 1), (4096, 1), (4097, 2), (1_048_576, 256)])
def test_a_read_costs_a_unit_for_each_started_four_kilobytes(size: int, units: int) -> None:
    assert read_units(size) == units
