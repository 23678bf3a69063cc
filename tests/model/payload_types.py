"""Payload types that the codec's tests share."""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum, Flag, IntEnum, IntFlag, StrEnum
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Required,
    TypedDict,
    TypeVar,
)
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    RootModel,
    computed_field,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass

T = TypeVar("T")


class Color(StrEnum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Point(Enum):
    """An enum whose values JSON has no form for: goes by name."""

    ORIGIN = (0, 0)
    UNIT = (1, 1)


class Mixed(Enum):
    TEXT = "1"
    WHOLE = 1
    NOTHING = None


class Perm(IntFlag):
    READ = 1
    WRITE = 2


class Style(Flag):
    BOLD = 1
    ITALIC = 2


class Loose(Enum):
    YES = "yes"
    NO = "no"

    @classmethod
    def _missing_(cls, value: object) -> Loose | None:
        return cls.YES if value == "YES" else None


UserId = NewType("UserId", int)


@dataclass
class Item:
    sku: str
    price: int
    tags: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Order:
    id: UUID
    items: list[Item]
    raw: bytes = b""
    due: datetime | None = None


@dataclass(kw_only=True)
class Derived:
    """Fields that `__init__` does not take, and code after it."""

    width: int
    height: int
    area: int = field(init=False)

    def __post_init__(self) -> None:
        self.area = self.width * self.height


@dataclass
class Doubling:
    """Changes what it is given: never comes back as it was."""

    amount: int

    def __post_init__(self) -> None:
        self.amount *= 2


@dataclass
class Checked:
    amount: int

    def __post_init__(self) -> None:
        if self.amount < 0:
            raise ValueError("amount is negative")


@dataclass
class Seeded:
    seed: InitVar[int]
    value: int = 0

    def __post_init__(self, seed: int) -> None:
        self.value = seed


@dataclass
class Node:
    value: int
    children: list[Node] = field(default_factory=list)
    parent: Node | None = None


@dataclass
class Page(Generic[T]):
    items: list[T]
    first: T | None = None


@dataclass
class NamedPage(Page[bytes]):
    name: str = ""


@dataclass(frozen=True)
class Key:
    a: int
    b: str


class Address(TypedDict):
    street: str
    blob: NotRequired[bytes]


class Partial(Address, total=False):
    city: str
    zip: Required[int]


class GenericDict(TypedDict, Generic[T]):
    item: T


class Pair(NamedTuple):
    left: int
    right: bytes = b"r"


class GenericPair(NamedTuple, Generic[T]):
    left: T


class Line(BaseModel):
    sku: str
    price: int


class Premium(Line):
    gift: bool = False


class Basket(BaseModel):
    id: UUID
    lines: list[Line]
    at: datetime
    total: Decimal
    note: str | None = None
    rate: float = 1.0


class Blobs(BaseModel):
    """Everything that pydantic's JSON mode does not carry."""

    data: bytes
    tags: set[str]
    frozen: frozenset[int] = frozenset()
    either: datetime | str = ""
    amount: int | Decimal | float = 0
    keyed: dict[UUID, bytes] = Field(default_factory=dict)
    untyped: Any = None
    point: Point = Point.ORIGIN
    perm: Perm = Perm.READ
    pair: Pair = Pair(0)
    item: Item | None = None
    nested: list[Blobs] = Field(default_factory=list)


class Aliased(BaseModel):
    model_config = ConfigDict(extra="forbid")
    unit_price: int = Field(alias="unitPrice")
    raw_data: bytes = Field(default=b"", alias="rawData")

    @computed_field
    def double(self) -> int:
        return self.unit_price * 2


class SplitAlias(BaseModel):
    """Written under one name, read under another: the field's own name has to do."""

    value: int = Field(serialization_alias="out", validation_alias="in")


class Strictly(BaseModel):
    model_config = ConfigDict(strict=True)
    at: datetime
    pair: tuple[int, int]
    id: UUID


class Extras(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


class Bounded(BaseModel):
    price: int = Field(gt=0)
    name: Annotated[str, Field(max_length=5)] = ""


class Remembering(BaseModel):
    value: int
    _cache: dict[str, int] = PrivateAttr(default_factory=dict)


class Box(BaseModel, Generic[T]):
    item: T


class Numbers(RootModel[list[int]]):
    pass


class Digests(RootModel[dict[str, bytes]]):
    pass


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    good: bytes


class Owner(BaseModel):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    pets: list[Cat | Dog] = Field(default_factory=list)


@pydantic_dataclass
class Parcel:
    weight: int = Field(gt=0)
    label: bytes = b""


@pydantic_dataclass(frozen=True, slots=True)
class SlottedParcel:
    weight: int
    label: bytes = b""


class Left(BaseModel):
    a: int = 0


class Right(BaseModel):
    a: int = 0
    b: int = 0
