"""What a skill's function asks for: of the model, of the task's metadata, of the call itself."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, NotRequired, cast, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticSerializationError, from_json, to_jsonable_python
from typing_extensions import TypedDict

from lampwork.errors import ArtifactNotFound, SkillInvalid, quoted
from lampwork.files.artifact import Artifact, Saved, Saving
from lampwork.genies.json_schema import fields_at
from lampwork.metadata import Key, is_metadata, mentions_metadata
from lampwork.outbound.hosts import NONE, AllowedHosts
from lampwork.recipe import is_job
from lampwork.types import Json
from lampwork.values import UNTYPED

if TYPE_CHECKING:
    import httpx

__all__ = ["Contract", "SkillCall", "problems_of"]

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_OURS = frozenset({"answer", "cannot_complete"})


@dataclass(frozen=True, slots=True)
class SkillCall:
    """The facts of one call, for a parameter annotated `SkillCall`.

    `idempotency_key` is the same however often the call is repeated after a crash. `user` is the
    one who chats with the genie; it and `connection` are None in a task in the background.
    """

    idempotency_key: str
    task_id: str
    conversation_id: str
    user: str | None = None
    connection: str | None = None
    saving: Saving | None = field(default=None, repr=False, compare=False)
    """Where artifacts go; None where the skill is called without a task, as in a unit test."""
    allowed_hosts: AllowedHosts = field(default=NONE, repr=False, compare=False)
    """What is reached beside what is public."""
    reading: Callable[[str], Awaitable[bytes]] | None = field(
        default=None, repr=False, compare=False
    )
    """Whence files come; None where the skill is called without a task."""

    def http(self, *, largest: int = 10 * 1024 * 1024, seconds: float = 30.0) -> httpx.AsyncClient:
        """A client of HTTP that reaches public hosts, and those that the project allows.

        >>> async with call.http() as http:
        ...     response = await http.get("https://example.org/rates.json")

        It follows up to five redirects. A response has up to `largest` bytes (10 MiB), and takes
        `seconds` (30) at the most. Its requests raise OutboundRefused, OutboundTooLarge,
        OutboundTooSlow, and httpx's errors.
        """
        from lampwork.outbound.http import client  # 0.1 s, for those alone who fetch something

        return client(self.allowed_hosts, largest=largest, seconds=seconds)

    def save_artifact(self, name: str, content: bytes, media_type: str) -> Saved:
        """Save a file that the skill has produced; one of this call's of the same name gives way.

        In a plain function it is on disk when this returns; an async one may `await` what it
        returns, and need not: the call has no result before all that it saved is on disk. Without
        a task nothing is saved. Raises ArtifactInvalid.
        """
        if self.saving is None:
            return Saved(Artifact.of(name, content, media_type), None)
        return self.saving.add(name, content, media_type)

    async def read_file(self, name: str) -> bytes:
        """The content of a file that the task was given, or an earlier one of its conversation.

        Of two with the same name it is the later one. Raises ArtifactNotFound.
        """
        if self.reading is None:
            raise ArtifactNotFound(f"File {quoted(name)}: without a task there are no files.")
        return await self.reading(name)


@dataclass(frozen=True, slots=True, eq=False)
class Contract:
    """The reading of a function's signature, made once, when the skill is defined."""

    description: str
    schema: dict[str, Json]
    """JSON Schema of the arguments that the model gives."""
    arguments: TypeAdapter[Any]
    names: frozenset[str]
    metadata: Mapping[str, Key]
    call: str | None
    """The parameter that takes the SkillCall."""
    returns: Any
    is_recipe: bool

    @classmethod
    def of(cls, fn: Callable[..., Any], name: str) -> Contract:
        """Read a function. Raises SkillInvalid, naming file and line."""
        return _Reader(fn, name).contract()

    def read(self, given: dict[str, Json] | str | None) -> tuple[dict[str, Json], list[str]]:
        """The arguments as the model gave them, as an object; or what is wrong with their form."""
        if isinstance(given, str):
            try:
                given = from_json(given or "{}", allow_inf_nan=False)
            except ValueError as error:
                return {}, [f"The arguments are not JSON: {error}"]
        if given is None:
            return {}, []
        if not isinstance(given, dict):
            return {}, ["The arguments must be one JSON object"]
        return given, []

    def fit(self, arguments: dict[str, Json]) -> tuple[dict[str, Any], list[str]]:
        """The arguments as the body takes them; or what the model must change."""
        try:
            return self.arguments.validate_python(arguments), []
        except ValidationError as error:
            return {}, problems_of(error, arguments, self.schema)


_UNKNOWN_FIELD = ("extra_forbidden", "unexpected_keyword_argument")


def problems_of(error: ValidationError, value: Json, schema: dict[str, Json]) -> list[str]:
    """One phrase per problem of a value, for the model to act on: where, what, what is allowed."""
    phrases: list[str] = []
    for found in error.errors(include_url=False, include_context=False):
        kind, place, message = found["type"], found["loc"], found["msg"]
        if kind != "missing":
            message += f" (given: {_short(found['input'])})"
        if kind in _UNKNOWN_FIELD:
            allowed = fields_at(schema, place[:-1])
            message += f"; allowed are: {', '.join(allowed)}" if allowed else ""
        where = _where(place, value, missing=kind == "missing")
        phrases.append(f"{where}: {message}" if where else message)
    return phrases


def _where(place: tuple[str | int, ...], value: Json, *, missing: bool) -> str:
    """A place in a value. The forms of a union, which pydantic has among the keys, stand apart.

    >>> _where(("pet", "cat", "lives"), {"pet": {"lives": -1}}, missing=False)
    'pet.lives (as cat)'
    """
    path: list[str] = []
    forms: list[str] = []
    here: Any = value
    for position, part in enumerate(place):
        if (isinstance(here, dict) and part in here) or (
            isinstance(here, list) and isinstance(part, int) and part < len(cast(list[Json], here))
        ):
            here = cast(Any, here)[part]
            path.append(str(part))
        elif missing and position == len(place) - 1:
            path.append(str(part))
        else:
            forms.append(str(part))
    where = ".".join(path)
    if not forms:
        return where
    form = f"as {', '.join(forms)}"
    return f"{where} ({form})" if where else form


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"


class _Reader:
    def __init__(self, fn: Callable[..., Any], name: str) -> None:
        self.fn = fn
        self.name = name

    def contract(self) -> Contract:
        if not _NAME.fullmatch(self.name):
            self.refuse("its name must be 1 to 64 letters, digits, _ or -", "Pass name=….")
        if self.name in _OURS:
            self.refuse("that name is Lampwork's own", "Pass another name=….")
        hints = self.hints()
        parameters = list(inspect.signature(self.fn).parameters.values())
        is_recipe = bool(parameters) and is_job(hints.get(parameters[0].name))
        for parameter in parameters:
            self.check_shape(parameter, hints)
        description, described = _docstring(self.fn)
        metadata: dict[str, Key] = {}
        calls: list[str] = []
        asked: list[inspect.Parameter] = []
        for parameter in parameters[is_recipe:]:
            hint = hints[parameter.name]
            if is_metadata(hint):
                required = parameter.default is inspect.Parameter.empty
                metadata[parameter.name] = Key(
                    parameter.name, self.adapter(parameter.name, hint), required
                )
            elif mentions_metadata(hint):
                self.refuse(
                    f"parameter {parameter.name} has Metadata inside another type",
                    "Put it outermost: Metadata[str | None], not Metadata[str] | None.",
                )
            elif hint is SkillCall:
                calls.append(parameter.name)
            else:
                asked.append(parameter)
        if len(calls) > 1:
            self.refuse(f"{' and '.join(calls)} both take the SkillCall", "Keep one.")
        arguments, schema = self.arguments(asked, hints, described)
        return Contract(
            description=description,
            schema=schema,
            arguments=arguments,
            names=frozenset(parameter.name for parameter in asked),
            metadata=metadata,
            call=calls[0] if calls else None,
            returns=hints.get("return", UNTYPED),
            is_recipe=is_recipe,
        )

    def hints(self) -> dict[str, Any]:
        try:
            return get_type_hints(inspect.unwrap(self.fn), include_extras=True)
        except (NameError, TypeError) as error:
            self.refuse(
                f"its annotations can't be resolved: {error}",
                "Import the types it names at the top of its module, outside TYPE_CHECKING.",
            )

    def check_shape(self, parameter: inspect.Parameter, hints: dict[str, Any]) -> None:
        match parameter.kind:
            case inspect.Parameter.VAR_POSITIONAL | inspect.Parameter.VAR_KEYWORD:
                self.refuse(f"a model can't be told what {parameter} takes", "Name each parameter.")
            case inspect.Parameter.POSITIONAL_ONLY:
                self.refuse(f"parameter {parameter.name} has no name to a caller", "Drop the `/`.")
            case _:
                pass
        if parameter.name not in hints:
            self.refuse(f"parameter {parameter.name} has no annotation", "Annotate its type.")
        if isinstance(parameter.default, FieldInfo):
            self.refuse(
                f"parameter {parameter.name} has a Field as its default",
                "Write Annotated[T, Field(…)], so that the function can be called plainly.",
            )

    def adapter(self, parameter: str, annotation: Any) -> TypeAdapter[Any]:
        try:
            return TypeAdapter(annotation)
        except (PydanticUserError, TypeError) as error:
            self.refuse(
                f"parameter {parameter}: {_short(annotation)} has no JSON form "
                f"({str(error).splitlines()[0].rstrip('.')})",
                "Use plain types, a pydantic model, a dataclass or a TypedDict.",
            )

    def arguments(
        self,
        asked: list[inspect.Parameter],
        hints: dict[str, Any],
        described: dict[str, str],
    ) -> tuple[TypeAdapter[Any], dict[str, Json]]:
        fields: dict[str, Any] = {}
        for parameter in asked:
            annotation = hints[parameter.name]
            self.schema_of(parameter.name, self.adapter(parameter.name, annotation))
            text = described.get(parameter.name)
            if text and not _has_description(annotation):
                annotation = Annotated[annotation, Field(description=text)]
            optional = parameter.default is not inspect.Parameter.empty
            fields[parameter.name] = NotRequired[annotation] if optional else annotation
        # A TypedDict, not a model: any parameter name is a good key, and defaults stay the body's.
        shape: Any = TypedDict("Arguments", fields)  # type: ignore[misc]
        shape.__pydantic_config__ = ConfigDict(extra="forbid")
        adapter: TypeAdapter[Any] = TypeAdapter(shape)
        schema = self.schema_of("arguments", adapter)
        schema.pop("title", None)
        properties: dict[str, Any] = schema.setdefault("properties", {})
        for parameter in asked:
            properties[parameter.name].pop("title", None)
            if parameter.default is not inspect.Parameter.empty:
                _add_default(properties[parameter.name], parameter.default)
        return adapter, schema

    def schema_of(self, parameter: str, adapter: TypeAdapter[Any]) -> dict[str, Any]:
        try:
            return adapter.json_schema()
        except (PydanticUserError, ValueError) as error:
            self.refuse(
                f"parameter {parameter} can't be described to a model "
                f"({str(error).splitlines()[0].rstrip('.')})",
                "Use types that JSON Schema can say.",
            )

    def refuse(self, problem: str, mend: str) -> NoReturn:
        code = getattr(inspect.unwrap(self.fn), "__code__", None)
        where = f"{code.co_filename}:{code.co_firstlineno}: " if code else ""
        raise SkillInvalid(
            f'{where}skill "{self.name}": {problem}. {mend}',
            skill=self.name,
            file=code.co_filename if code else None,
            line=code.co_firstlineno if code else None,
        )


def _has_description(annotation: Any) -> bool:
    marks = getattr(annotation, "__metadata__", ())
    return any(isinstance(mark, FieldInfo) and mark.description for mark in marks)


def _add_default(schema: dict[str, Any], default: Any) -> None:
    try:
        schema["default"] = to_jsonable_python(default)
    except PydanticSerializationError:
        return  # the parameter stays optional; its default just goes unsaid


_STYLES = (
    ("google", re.compile(r"^\s*(Args|Arguments|Parameters|Params):\s*$", re.M)),
    ("numpy", re.compile(r"^\s*Parameters\s*\n\s*-{3,}\s*$", re.M)),
    ("sphinx", re.compile(r"^\s*:param\b", re.M)),
)


def _docstring(fn: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """What a docstring says of the function, and of each parameter."""
    text = inspect.getdoc(fn) or ""
    style = next((name for name, mark in _STYLES if mark.search(text)), None)
    if style is None:
        return text, {}
    from griffe import Docstring, DocstringSectionKind  # 45 ms; few skills need it

    logging.getLogger("griffe").setLevel(logging.ERROR)
    said: list[str] = []
    described: dict[str, str] = {}
    parser: Any = style
    for section in Docstring(text).parse(parser, warnings=False):
        if section.kind is DocstringSectionKind.text:
            said.append(section.value.strip())
        elif section.kind is DocstringSectionKind.parameters:
            described |= {p.name: p.description.strip() for p in section.value}
    return "\n\n".join(said), described
