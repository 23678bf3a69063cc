"""pydantic models: what their own rules do to what is written and read."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Annotated, Any

import pytest
from pydantic import (
    AfterValidator,
    Base64Bytes,
    BaseModel,
    ConfigDict,
    Field,
    Json,
    PlainSerializer,
    SecretStr,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)

from lambda_workflow.errors import DecodeError, EncodeError, WorkflowError
from lambda_workflow.model.payload import codec_for, dumps, loads
from tests.model.payload_samples import BASKET, ID, NOON, RAW
from tests.model.payload_types import (
    Aliased,
    Basket,
    Blobs,
    Bounded,
    Color,
    Digests,
    Extras,
    Line,
    Numbers,
    Owner,
    Parcel,
    Premium,
    SlottedParcel,
    SplitAlias,
    Strictly,
)

pytestmark = pytest.mark.usefixtures("shown_values")


class Spaced(BaseModel):
    """Its validator gives back what it is given, once it was given it."""

    name: str

    @field_validator("name")
    @classmethod
    def strip(cls, name: str) -> str:
        return name.strip()


class Growing(BaseModel):
    """Its validator changes what it is given every time."""

    price: int

    @field_validator("price")
    @classmethod
    def tax(cls, price: int) -> int:
        return price * 2


class Ordered(BaseModel):
    low: int
    high: int

    @model_validator(mode="after")
    def check(self) -> Ordered:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


class Crashing(BaseModel):
    value: int

    @field_validator("value")
    @classmethod
    def crash(cls, value: int) -> int:
        return [0, 1][value]


class Stopping(BaseModel):
    value: int

    @field_validator("value")
    @classmethod
    def stop(cls, value: int) -> int:
        if value:
            raise WorkflowError("not now")
        return value


class Served(BaseModel):
    data: bytes
    tags: list[str] = Field(default_factory=list)

    @field_serializer("data")
    def as_hex(self, data: bytes) -> str:
        return data.hex()

    @field_validator("data", mode="before")
    @classmethod
    def of_hex(cls, data: Any) -> Any:
        return bytes.fromhex(data) if isinstance(data, str) else data


class Whole(BaseModel):
    a: int
    b: int

    @model_serializer
    def as_list(self) -> list[int]:
        return [self.a, self.b]

    @model_validator(mode="before")
    @classmethod
    def of_list(cls, data: Any) -> Any:
        return dict(zip("ab", data, strict=True)) if isinstance(data, list) else data


class Custom(BaseModel):
    even: Annotated[int, AfterValidator(lambda n: n - n % 2)]
    digest: Base64Bytes = b""
    shown: Annotated[int, PlainSerializer(str)] = 0
    text: Json[list[int]] = Field(default_factory=list)


class Named(BaseModel):
    model_config = ConfigDict(use_enum_values=True)
    color: Color


class Lossy(BaseModel):
    id: int
    secret: str = Field(default="", exclude=True)


class Hidden(BaseModel):
    password: SecretStr


class Cached(BaseModel):
    value: int = Field(gt=0)

    @cached_property
    def square(self) -> int:
        return self.value**2


class Tree(BaseModel):
    """Pydantic's JSON mode cannot carry it, but only because of what is at its end."""

    branch: Branch | None = None


class Branch(BaseModel):
    tree: Tree | None = None
    leaf: bytes = b""


@pytest.mark.parametrize(
    "value",
    [
        Spaced(name=" a "),
        Ordered(low=1, high=2),
        Served(data=RAW, tags=["a"]),
        Whole(a=1, b=2),
        Custom(even=3, digest=b"YWJj", shown=3, text="[1,2]"),  # type: ignore[arg-type] # Json takes text
        Named(color=Color.RED),
        Lossy(id=1),
        Cached(value=3),
        Tree(branch=Branch(tree=Tree(branch=Branch(leaf=RAW)))),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_model_with_rules_of_its_own_comes_back(value: BaseModel) -> None:
    codec = codec_for(type(value))
    for _ in range(2):
        if isinstance(value, Cached):
            assert value.square == 9
        back = codec.decode(loads(dumps(codec.encode(value))))
        assert type(back) is type(value)
        assert back.model_dump() == value.model_dump()
        value = back


def test_the_fields_a_user_serializes_are_written_the_users_way() -> None:
    assert codec_for(Served).encode(Served(data=b"\xff")) == {"data": "ff", "tags": []}
    assert codec_for(Whole).encode(Whole(a=1, b=2)) == [1, 2]
    assert codec_for(list[Whole | None]).encode([Whole(a=1, b=2), None]) == [[1, 2], None]


def test_aliases_are_written_and_names_are_read_too() -> None:
    codec = codec_for(Aliased)
    value = Aliased(unitPrice=1, rawData=RAW)
    encoded = codec.encode(value)
    assert sorted(encoded) == ["rawData", "unitPrice"]  # the computed field is not among them
    by_name = {"unit_price": 1, "raw_data": encoded["rawData"]}
    assert codec.decode(encoded) == codec.decode(by_name) == value


def test_an_alias_that_reading_does_not_take_is_not_written() -> None:
    codec = codec_for(SplitAlias)
    value = SplitAlias.model_validate({"in": 1})
    assert codec.encode(value) == {"value": 1}
    assert codec.decode({"in": 1}) == value


def broken(model: BaseModel, name: str, value: Any) -> Any:
    """The model with an attribute that its annotation does not allow."""
    setattr(model, name, value)
    return model


REFUSED: list[tuple[Any, Callable[[], Any], str]] = [
    (Line, lambda: broken(Line(sku="a", price=1), "price", "abc"), "order.price: found str 'abc'"),
    (Line, lambda: broken(Line(sku="a", price=1), "price", "12"), "order.price: found str '12'"),
    (Line, lambda: broken(Line(sku="a", price=1), "sku", object()), "order.sku: found object"),
    (Line, lambda: Line.model_construct(sku="a"), "order.price: missing: this Line lacks it"),
    (
        Basket,
        lambda: BASKET.model_copy(update={"lines": [*BASKET.lines, Premium(sku="a", price=1)]}),
        "order.lines[1]: found Premium Premium(sku='a', price=1, gift=False), allowed Line",
    ),
    (
        Basket,
        lambda: BASKET.model_copy(
            update={"lines": [broken(Line(sku="a", price=1), "price", None)]}
        ),
        "order.lines[0].price: found None, allowed int",
    ),
    (Basket, lambda: BASKET.model_copy(update={"rate": float("nan")}), "order.rate: found float"),
    (Blobs, lambda: Blobs(data=b"", tags=set(), untyped=(1,)), "order.untyped: found tuple (1,)"),
    (Bounded, lambda: broken(Bounded(price=1), "price", -1), "order.price: found int -1: Input"),
    (Growing, lambda: Growing(price=1), "order.price: found int 2, which comes back from JSON as"),
    (Ordered, lambda: broken(Ordered(low=1, high=2), "low", 3), "Value error, low is above high"),
    (Lossy, lambda: Lossy(id=1, secret="s"), "order.secret: found str 's', which comes back"),
    (Hidden, lambda: Hidden(password=SecretStr("s")), "order.password: found SecretStr"),
    (
        Extras,
        lambda: Extras.model_validate({"a": 1, "at": NOON}),
        "order.at: found datetime",
    ),
    (Numbers, lambda: broken(Numbers([1]), "root", [1, "a"]), "order.root[1]: found str 'a'"),
    (Digests, lambda: {"a": b""}, "order: found dict {'a': b''}, allowed Digests"),
    (Parcel, lambda: Parcel.__new__(Parcel), "order.weight: found FieldInfo"),
    (SlottedParcel, lambda: SlottedParcel.__new__(SlottedParcel), "order.weight: missing: this"),
]


@pytest.mark.parametrize(("tp", "made", "message"), REFUSED)
def test_a_model_that_would_not_come_back_is_refused(
    tp: Any, made: Callable[[], Any], message: str
) -> None:
    with pytest.raises(EncodeError) as caught:
        codec_for(tp).encode(made(), where="order")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("tp", "json", "message"),
    [
        (Line, {"sku": "a"}, "result.price: Field required (as Line)"),
        (Line, [], "result: found list []: Input should be"),
        (Line, {"sku": 1, "price": "x"}, "result.sku: found int 1: Input should be a valid string"),
        (Line, {"sku": 1, "price": "x"}, "; also .price: found str 'x': Input should be a valid"),
        (
            Basket,
            codec_for(Basket).encode(BASKET) | {"lines": [{"sku": "a", "price": []}]},
            "result.lines[0].price: found list []: Input should be a valid integer",
        ),
        (Aliased, {"unitPrice": 1, "more": 1}, "result.more: found int 1: Extra inputs are not"),
        (Aliased, {"unitPrice": 1, "rawData": "ä"}, "result.rawData: found str 'ä', allowed bytes"),
        (Blobs, {"data": "", "tags": [1]}, "result.tags[0]: found int 1, allowed str"),
        (Blobs, [], "result: found list [], allowed Blobs"),
        (Bounded, {"price": 0}, "result.price: found int 0: Input should be greater than 0"),
        (Strictly, {"at": "x", "pair": [1, 2], "id": str(ID)}, "result.at: found str 'x', allowed"),
        (Ordered, {"low": 2, "high": 1}, "Value error, low is above high (as Ordered)"),
        (Crashing, {"value": 9}, "result: Crashing does not accept it: IndexError: "),
        (Numbers, [1, "a"], "result[1]: found str 'a': Input should be a valid integer"),
        (Owner, {"pet": {"kind": "cow"}}, "result.pet: found dict {'kind': 'cow'}, allowed Cat | "),
        (Parcel, {"weight": -1}, "result.weight: found int -1: Input should be greater than 0"),
    ],
)
def test_json_that_a_model_does_not_take_is_refused(tp: Any, json: Any, message: str) -> None:
    with pytest.raises(DecodeError) as caught:
        codec_for(tp).decode(json, where="result")
    assert message in str(caught.value)


def test_many_errors_are_cut_short() -> None:
    with pytest.raises(DecodeError) as caught:
        codec_for(list[Line] | None).decode([{"sku": "a", "price": 1}, {}])
    assert str(caught.value).startswith("payload[1].sku: Field required; also .price: Field")
    wide: Any = type("Wide", (BaseModel,), {"__annotations__": dict.fromkeys("abcdef", int)})
    with pytest.raises(DecodeError, match=r"; and 3 more \(as Wide\)$"):
        codec_for(wide).decode({})


def test_this_packages_own_errors_pass_through_a_validator() -> None:
    with pytest.raises(WorkflowError, match="not now") as caught:
        codec_for(Stopping).decode({"value": 1})
    assert type(caught.value) is WorkflowError


def test_a_strict_model_reads_json_and_nothing_laxer() -> None:
    codec = codec_for(Strictly)
    value = Strictly(at=NOON, pair=(1, 2), id=ID)
    encoded = codec.encode(value)
    assert codec.decode(encoded) == value
    with pytest.raises(DecodeError, match=r"payload\.pair\[0\]: found str '1', allowed int"):
        codec.decode(encoded | {"pair": ["1", "2"]})
