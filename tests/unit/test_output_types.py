"""Output types of every kind that people use: what fits, what does not, what can't be asked for."""

from __future__ import annotations

import enum
import functools
import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NotRequired,
    Optional,
    Required,
    TypeVar,
    Union,
)

import pytest
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    SecretStr,
    computed_field,
    field_serializer,
    field_validator,
    model_validator,
)
from typing_extensions import TypedDict

from lampwork.errors import OutputTypeInvalid
from lampwork.genies.output import describe

T = TypeVar("T")


def name_of(case: object) -> str:
    """A case's name, the same in each process."""
    return re.sub(r" at 0x\w+", "", str(case))


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(ge=0)


class Dog(BaseModel):
    kind: Literal["dog"]
    bark: str


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


class Owner(BaseModel):
    pet: Pet


class Box(BaseModel, Generic[T]):
    item: T


class Tree(BaseModel):
    value: int
    children: list[Tree] = []


class Partial(TypedDict, total=False):
    a: int
    b: Required[str]


class Nearly(TypedDict):
    a: int
    b: NotRequired[str]


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Times(BaseModel):
    at: datetime
    day: date
    amount: Decimal
    id: uuid.UUID
    span: timedelta


class Odd(BaseModel):
    n: int

    @field_validator("n")
    @classmethod
    def odd(cls, n: int) -> int:
        if n % 2 == 0:
            raise ValueError("must be odd")
        return n


class Broken(BaseModel):
    n: int

    @field_validator("n")
    @classmethod
    def look_up(cls, n: int) -> int:
        return {1: 1}[n]


class Span(BaseModel):
    start: int
    end: int

    @model_validator(mode="after")
    def ordered(self) -> Span:
        if self.start >= self.end:
            raise ValueError("start must come before end")
        return self


class Doubling(BaseModel):
    n: int

    @field_validator("n")
    @classmethod
    def double(cls, n: int) -> int:
        return 2 * n


class ReadAlias(BaseModel):
    size: int = Field(validation_alias="Size")


class WrittenAlias(BaseModel):
    size: int = Field(serialization_alias="SIZE")


class TwoAliases(BaseModel):
    size: int = Field(validation_alias="In", serialization_alias="Out")


class Choices(BaseModel):
    size: int = Field(validation_alias=AliasChoices("Size", "sz"))


class Path(BaseModel):
    size: int = Field(validation_alias=AliasPath("box", "size"))


class MadeUp(BaseModel):
    size: int = Field(validation_alias="Size")
    id: uuid.UUID = Field(default_factory=uuid.uuid4)


class Spoken(BaseModel):
    n: int

    @field_serializer("n")
    def say(self, n: int) -> str:
        return f"number {n}"


class Hushed(BaseModel):
    word: SecretStr
    note: str = Field(default="", exclude=True)


class Squared(BaseModel):
    n: int

    @computed_field
    def square(self) -> int:
        return self.n**2


class Ignoring(BaseModel):
    model_config = ConfigDict(extra="ignore")
    n: int


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, int]
    n: int


class Half(BaseModel):
    free: Open
    cat: Cat | None = None
    pet: Pet | None = None


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)
    at: datetime
    n: int


class Listed(RootModel[list[int]]):
    pass


class Point(NamedTuple):
    x: int
    y: int = 0


@dataclass
class Order:
    lines: list[int] = field(default_factory=list)
    cat: Optional[Cat] = None  # noqa: UP045  # as people write it


@dataclass(eq=False)
class Unequal:
    n: int


TIMES = {
    "at": "2026-11-20T10:00:00Z",
    "day": "2026-11-20",
    "amount": "1.10",
    "id": "00000000-0000-0000-0000-000000000007",
    "span": "PT90M",
}
CAT = {"kind": "cat", "lives": 9}


@pytest.mark.parametrize(
    ("output", "given", "value"),
    [
        (Owner, {"pet": CAT}, Owner(pet=Cat(kind="cat", lives=9))),
        (Pet, {"answer": CAT}, Cat(kind="cat", lives=9)),
        (Cat | Dog, {"answer": {"kind": "dog", "bark": "w"}}, Dog(kind="dog", bark="w")),
        (int | str, {"answer": "7"}, "7"),
        (Box[list[Cat]], {"item": [CAT]}, Box[list[Cat]](item=[Cat(kind="cat", lives=9)])),
        (
            Tree,
            {"answer": {"value": 1, "children": [{"value": 2}]}},
            Tree(value=1, children=[Tree(value=2)]),
        ),
        (Partial, {"b": "x"}, {"b": "x"}),
        (Nearly, {"a": 1}, {"a": 1}),
        (Colour, {"answer": "red"}, Colour.RED),
        (Optional[Colour], {"answer": None}, None),  # noqa: UP045
        (Literal[1, "a", None], {"answer": "a"}, "a"),
        (list[Cat], {"answer": [CAT]}, [Cat(kind="cat", lives=9)]),
        (dict[str, Cat], {"tom": CAT}, {"tom": Cat(kind="cat", lives=9)}),
        (tuple[int, str], {"answer": [1, "a"]}, (1, "a")),
        (set[int], {"answer": [1, 1]}, {1}),
        (Listed, {"answer": [1]}, Listed([1])),
        (Point, {"answer": [1]}, Point(1)),
        (
            Times,
            TIMES,
            Times(
                at=datetime(2026, 11, 20, 10, tzinfo=UTC),
                day=date(2026, 11, 20),
                amount=Decimal("1.10"),
                id=uuid.UUID(int=7),
                span=timedelta(minutes=90),
            ),
        ),
        (Order, {"cat": CAT}, Order([], Cat(kind="cat", lives=9))),
        (Odd, {"n": 3}, Odd(n=3)),
        (Doubling, {"n": 3}, Doubling.model_construct(n=6)),
        (ReadAlias, {"Size": 3}, ReadAlias(Size=3)),
        (WrittenAlias, {"size": 3}, WrittenAlias(size=3)),
        (TwoAliases, {"In": 3}, TwoAliases(In=3)),
        (Choices, {"sz": 3}, Choices(sz=3)),
        (Path, {"box": {"size": 3}}, Path(box={"size": 3})),
        (Spoken, {"n": 3}, Spoken(n=3)),
        (Hushed, {"word": "psst", "note": "n"}, Hushed(word=SecretStr("psst"), note="n")),
        (Squared, {"n": 3}, Squared(n=3)),
        (Open, {"n": 1, "m": 2}, Open(n=1, m=2)),
        (
            Strict,
            {"at": TIMES["at"], "n": 1},
            Strict(at=datetime(2026, 11, 20, 10, tzinfo=UTC), n=1),
        ),
        (
            Half,
            {"free": {"n": 1, "m": 2}, "cat": CAT, "pet": CAT},
            Half(
                free=Open(n=1, m=2),
                cat=Cat(kind="cat", lives=9),
                pet=Cat(kind="cat", lives=9),
            ),
        ),
        (Any, {"answer": {"x": [1]}}, {"x": [1]}),
    ],
    ids=name_of,
)
def test_what_fits_is_recorded_as_what_reads_back_the_same(output, given, value):
    described = describe(output)
    assert described is not None

    recorded, problems = described.read(given)

    assert problems == []
    assert described.decode(recorded) == value


def test_what_a_default_makes_up_is_recorded_whatever_the_aliases():
    described = describe(MadeUp)
    assert described is not None

    recorded, problems = described.read({"Size": 3})

    assert problems == []
    assert described.decode(recorded) == described.decode(recorded)


def test_values_that_are_never_equal_are_compared_by_what_they_hold():
    described = describe(Unequal)
    assert described is not None

    recorded, problems = described.read({"n": 1})

    assert (recorded, problems) == ({"n": 1}, [])


@pytest.mark.parametrize(
    ("output", "given", "problems"),
    [
        (
            Owner,
            {"pet": {"kind": "cat", "lives": -1, "z": 1}},
            [
                "pet.lives (as cat): Input should be greater than or equal to 0 (given: -1)",
                "pet.z (as cat): Extra inputs are not permitted (given: 1); "
                "allowed are: kind, lives",
            ],
        ),
        (
            Owner,
            {"pet": {"kind": "cow"}},
            [
                "pet: Input tag 'cow' found using 'kind' does not match any of the expected tags: "
                "'cat', 'dog' (given: {'kind': 'cow'})"
            ],
        ),
        (
            Cat | Dog,
            {"answer": {"kind": "dog", "bark": 1}},
            [
                "kind (as Cat): Input should be 'cat' (given: 'dog')",
                "lives (as Cat): Field required",
                "bark (as Cat): Extra inputs are not permitted (given: 1); "
                "allowed are: kind, lives",
                "bark (as Dog): Input should be a valid string (given: 1)",
            ],
        ),
        (
            int | bool,
            {"answer": "x"},
            [
                "as int: Input should be a valid integer, unable to parse string as an integer "
                "(given: 'x')",
                "as bool: Input should be a valid boolean, unable to interpret input (given: 'x')",
            ],
        ),
        (
            Box[list[Cat]],
            {"item": [CAT, {"kind": "cat"}]},
            ["item.1.lives: Field required"],
        ),
        (
            Tree,
            {"answer": {"value": 1, "children": [{"value": 2, "children": [{}]}]}},
            ["children.0.children.0.value: Field required"],
        ),
        (Partial, {"a": 1}, ["b: Field required"]),
        (
            Partial,
            {"b": "x", "c": 1},
            ["c: Extra inputs are not permitted (given: 1); allowed are: a, b"],
        ),
        (
            Order,
            {"cat": CAT | {"z": 1}},
            ["cat.z: Extra inputs are not permitted (given: 1); allowed are: kind, lives"],
        ),
        (Colour, {"answer": "green"}, ["Input should be 'red' or 'blue' (given: 'green')"]),
        (Odd, {"n": 2}, ["n: Value error, must be odd (given: 2)"]),
        (Broken, {"n": 2}, ["It was not accepted: KeyError: 2"]),
        (
            Span,
            {"start": 2, "end": 1},
            ["Value error, start must come before end (given: {'start': 2, 'end': 1})"],
        ),
        (
            Ignoring,
            {"n": 1, "z": 1},
            ["z: Extra inputs are not permitted (given: 1); allowed are: n"],
        ),
        (
            Open,
            {"n": 1, "m": "x"},
            [
                "m: Input should be a valid integer, unable to parse string as an integer "
                "(given: 'x')"
            ],
        ),
        (
            Half,
            {"free": {"n": 1, "m": 2}, "cat": CAT | {"u": 1}},
            [
                "cat: Additional properties are not allowed ('u' was unexpected); "
                "allowed are: kind, lives"
            ],
        ),
        (
            Half,
            {"free": {"n": 1}, "pet": {"kind": "dog", "bark": "w", "u": 1}},
            [
                "pet: Additional properties are not allowed ('u' was unexpected); "
                "allowed are: kind, bark"
            ],
        ),
        (
            Strict,
            {"at": TIMES["at"], "n": "1"},
            ["n: Input should be a valid integer (given: '1')"],
        ),
        (
            Squared,
            {"n": 1, "square": 5},
            ["square: Extra inputs are not permitted (given: 5); allowed are: n"],
        ),
        (float, {"answer": "inf"}, ["The answer: a number must be finite, not NaN or infinity"]),
        (
            Box[list[float]],
            '{"item": [1, 1e999]}',
            ["item.1: a number must be finite, not NaN or infinity"],
        ),
        (
            str,
            {"answer": "\ud83d"},
            ["The answer has half a surrogate pair in it, which is no text"],
        ),
        (
            list[int],
            {"answer": ["x"] * 1000},
            [
                *(
                    f"{n}: Input should be a valid integer, unable to parse string as an integer "
                    "(given: 'x')"
                    for n in range(20)
                ),
                "and 980 more",
            ],
        ),
    ],
    ids=lambda value: name_of(value)[:60],
)
def test_what_does_not_fit_is_named_by_place_by_what_was_given_and_by_what_is_allowed(
    output, given, problems
):
    described = describe(output)
    assert described is not None

    assert described.read(given)[1] == problems


@pytest.mark.parametrize(
    "output",
    [
        print,
        lambda: 1,
        functools.partial(int, "7"),
        Iterable[int],
        type[int],
        Box[type[int]],
        Callable[[], int],
        Union["Nowhere", int],  # noqa: F821
        [Cat],
        (int, str),
        Cat(kind="cat", lives=1),
        type("Opaque", (), {}),
    ],
    ids=lambda value: name_of(value)[:40],
)
def test_what_no_json_can_be_is_refused(output):
    with pytest.raises(OutputTypeInvalid, match=r"can't be described to a model|is no type"):
        describe(output)
