"""Across processes: the same JSON whatever the hash seed, and nothing loaded before it is used."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Union
from uuid import UUID

import pytest

from lambda_workflow.model.payload import Codec, dumps, loads
from lambda_workflow.model.payload_compare import exactly
from tests.model.payload_types import Blobs, Color, Item, Left, Pair, Perm, Point, Right

ROOT = Path(__file__).parents[2]

ENCODE_ALL = """
from lambda_workflow.model.payload import canonical, codec_for
from tests.model.payload_samples import ROUND_TRIPS
from tests.model.test_payload_unions import AMBIGUOUS
from typing import Union
print([canonical(codec_for(tp).encode(v)) for tp, values in ROUND_TRIPS for v in values])
print([canonical(codec_for(Union[tps]).encode(v)) for tps, values in AMBIGUOUS for v in values])
"""


def output_of(code: str, **environment: str) -> str:
    command = [sys.executable, "-c", code]
    run = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, check=True, text=True
    )
    return run.stdout


def test_encoding_is_the_same_in_every_process() -> None:
    outputs = {output_of(ENCODE_ALL, PYTHONHASHSEED=seed) for seed in ("0", "1", "4711")}
    assert len(outputs) == 1
    assert len(outputs.pop()) > 5_000


def test_pydantic_is_not_loaded_for_payloads_without_it() -> None:
    code = """
import sys
from dataclasses import dataclass
from datetime import datetime
from lambda_workflow.model.payload import codec_for
@dataclass
class Order:
    id: int
    at: datetime | None = None
codec = codec_for(list[Order])
assert codec.decode(codec.encode([Order(1)])) == [Order(1)]
print(sorted(name for name in sys.modules if name.startswith("pydantic")))
"""
    assert output_of(code).strip() == "[]"


def test_nothing_is_compiled_before_the_first_value() -> None:
    codec: Codec[Any] = Codec("no such type")
    assert "no such type" in repr(codec)


LEAVES: list[tuple[Any, Any]] = [
    (int, lambda dice: dice.randint(-3, 3)),
    (float, lambda dice: dice.choice([0.0, 1.0, -1.5, 2.0])),
    (bool, lambda dice: dice.random() < 0.5),
    (type(None), lambda dice: None),
    (str, lambda dice: dice.choice(["", "1", "true", "1.5", "red", "P1D", "YQ==", "2026-01-01"])),
    (bytes, lambda dice: dice.choice([b"", b"a", b"\xff"])),
    (date, lambda dice: date(2026, 1, dice.randint(1, 3))),
    (datetime, lambda dice: datetime(2026, 1, dice.randint(1, 3), tzinfo=UTC)),
    (timedelta, lambda dice: timedelta(dice.randint(-2, 2))),
    (Decimal, lambda dice: Decimal(dice.choice(["1", "1.5", "0"]))),
    (UUID, lambda dice: UUID(int=dice.randint(0, 3))),
    (Color, lambda dice: dice.choice(list(Color))),
    (Point, lambda dice: dice.choice(list(Point))),
    (Perm, lambda dice: Perm(dice.randint(0, 3))),
    (Pair, lambda dice: Pair(dice.randint(0, 1), b"\xff")),
    (Item, lambda dice: Item("a", dice.randint(0, 1), {"x", "y"})),
    (Left, lambda dice: Left(a=dice.randint(0, 1))),
    (Right, lambda dice: Right(a=dice.randint(0, 1))),
    (Blobs, lambda dice: Blobs(data=b"\xff", tags={"a", "b"}, either="2026-01-01T00:00")),
    (Any, lambda dice: dice.choice([None, 1, "a", [1], {"$type": "str", "value": "a"}])),
]


def random_type(dice: random.Random, depth: int) -> tuple[Any, Any]:
    """A type and what makes a random value of it."""
    shape = dice.choice(["leaf", "list", "tuple", "dict", "union", "union"]) if depth else "leaf"
    if shape == "leaf":
        found: tuple[Any, Any] = dice.choice(LEAVES)
        return found
    if shape == "union":
        members = [random_type(dice, depth - 1) for _ in range(dice.randint(2, 3))]
        union: Any = Union.__getitem__(tuple(tp for tp, _ in members))
        return union, lambda dice: dice.choice(members)[1](dice)
    item, make = random_type(dice, depth - 1)
    if shape == "list":
        return list[item], lambda dice: [make(dice) for _ in range(dice.randint(0, 2))]  # type: ignore[valid-type] # item is a value
    if shape == "tuple":
        return tuple[item, int], lambda dice: (make(dice), 1)  # type: ignore[valid-type] # item is a value
    key, make_key = dice.choice([leaf for leaf in LEAVES[:13] if leaf[0] is not float])
    pairs = dict[key, item]  # type: ignore[valid-type] # both are values
    return pairs, lambda dice: {make_key(dice): make(dice) for _ in range(dice.randint(0, 2))}


@pytest.mark.parametrize("seed", range(600))
def test_random_values_of_random_types_come_back(seed: int) -> None:
    dice = random.Random(seed)
    tp, make = random_type(dice, 3)
    codec: Codec[Any] = Codec(tp)
    for _ in range(4):
        value = make(dice)
        text = dumps(codec.encode(value))
        back = Codec[Any](tp).decode(loads(text))
        assert exactly(back, value), f"seed {seed}: {tp}: {value!r} -> {text} -> {back!r}"
