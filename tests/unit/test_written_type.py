"""An output type survives its way into a job's input, validators and all."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, Optional, TypeVar

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from lampwork.genies.output import describe
from lampwork.genies.written_type import read_type, write_type

T = TypeVar("T")


class Line(BaseModel):
    text: str


class Box(BaseModel, Generic[T]):
    item: T


class Pair(TypedDict):
    a: int


@pytest.mark.parametrize(
    "output",
    [
        None,
        int,
        Line,
        Pair,
        list[Line],
        dict[str, list[Line]],
        tuple[int, str],
        Line | None,
        Optional[Line],  # noqa: UP045
        Line | Pair | int,
        Literal["a", 1, None],
        Box[Line],
        Box[list[int]],
        list[Any],
        list[Literal["a"] | None],
        {"type": "object", "python_type": "os:system"},
    ],
    ids=str,
)
def test_a_type_is_found_again_by_its_names(output: Any) -> None:
    assert read_type(write_type(describe(output))) == output


@pytest.mark.parametrize(
    "output",
    [Annotated[int, Field(gt=3)], tuple[int, ...], type("Local", (BaseModel,), {})],
    ids=str,
)
def test_a_type_without_names_is_written_as_its_schema(output: Any) -> None:
    described = describe(output)
    assert described is not None

    assert read_type(write_type(described)) == described.schema
