"""A Python function as a tool: its schema from type hints and docstring, and its arguments checked by it."""

import inspect
import json
import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Final, NotRequired, Protocol, cast, get_type_hints

from tokenwire.arguments import Fields, function_tool
from tokenwire.checking import mistakes
from tokenwire.errors import OutputInvalid, ToolSchemaError
from tokenwire.schema import EXTRA, Shape, is_strict
from tokenwire.v1 import chat_pb2 as pb

Function = Callable[..., Any]

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ARGUMENT: Final = re.compile(r"^\s+(\w+)(?: \([^)]*\))?: (.+)$")
"""A line of a docstring's `Args:`."""
_SECTION: Final = re.compile(r"^\s*(?:Args|Returns|Raises|Examples?):\s*$", re.MULTILINE)


class BadArguments(Exception):  # noqa: N818 (it goes to the model)
    """What is wrong with the arguments of a call, for the model to read."""


class Parameters(Protocol):
    """What a function takes."""

    schema: Fields

    def read(self, text: str) -> dict[str, Any]:
        """The keyword arguments of a call. Raises BadArguments."""


class GivenParameters:
    """By a JSON Schema that was given; arguments are what json makes of them."""

    def __init__(self, schema: Fields) -> None:
        if schema.get("type", "object") != "object":
            raise ToolSchemaError("the arguments of a function are an object")
        try:
            json.dumps(schema)
        except (TypeError, ValueError) as error:
            raise ToolSchemaError(f"a schema is made of JSON values: {error}") from None
        self.schema: Fields = {"type": "object", "properties": {}, **schema}

    def read(self, text: str) -> dict[str, Any]:
        """As Parameters has it."""
        arguments: dict[str, Any] = json.loads(text or "{}")
        if found := list(mistakes(self.schema, arguments)):
            raise BadArguments("; ".join(found))
        return arguments


class HintedParameters:
    """By a function's type hints, whose types the arguments are of. Raises ToolSchemaError."""

    def __init__(self, function: Function) -> None:
        self._shape: Shape[dict[str, Any]] = Shape(_arguments(function))
        self.schema: Fields = self._shape.schema

    def read(self, text: str) -> dict[str, Any]:
        """As Parameters has it."""
        try:
            return self._shape.read(text or "{}")
        except OutputInvalid as error:
            raise BadArguments(str(error)) from None


class Tool:
    """A function that a model may call."""

    def __init__(
        self,
        function: Function,
        *,
        name: str | None,
        description: str | None,
        parameters: Fields | None,
        timeout: float,
    ) -> None:
        self.function: Final = function
        self.name: Final[str] = name or str(getattr(function, "__name__", ""))
        self.timeout: Final = timeout
        if not _NAME.fullmatch(self.name):
            raise ToolSchemaError(f"{self.name!r}: a name is 1 to 64 letters, digits, underscores and dashes")
        self.parameters: Final[Parameters] = (
            HintedParameters(function) if parameters is None else GivenParameters(parameters)
        )
        summary = _summary(function) if description is None else description
        schema = self.parameters.schema
        strict = isinstance(self.parameters, HintedParameters) and is_strict(schema)
        self.proto: Final[pb.Tool] = function_tool(self.name, summary, schema, strict=strict or None)
        """What is offered to the model."""


def _arguments(function: Function) -> type[dict[str, Any]]:
    """The keyword arguments of a function as a TypedDict."""
    try:
        from pydantic import ConfigDict, Field  # noqa: PLC0415 (pydantic is optional)
        from typing_extensions import TypedDict  # noqa: PLC0415 (pydantic is optional)
    except ImportError:
        raise ImportError(EXTRA) from None
    told = dict(_told(function))
    fields: dict[str, Any] = {}
    for name, (hint, required) in _hints(function).items():
        described: Any = Annotated[hint, Field(description=told.get(name))]
        fields[name] = described if required else NotRequired[described]
    make: Any = TypedDict  # its fields are known only here
    kind: Any = make(getattr(function, "__name__", "arguments"), fields)
    kind.__pydantic_config__ = ConfigDict(extra="forbid")
    return cast("type[dict[str, Any]]", kind)


def _hints(function: Function) -> dict[str, tuple[Any, bool]]:
    """The type of each parameter, and whether it must be given."""
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError as error:
        raise ToolSchemaError(f"a type hint is not known: {error}") from None
    found: dict[str, tuple[Any, bool]] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise ToolSchemaError(f"{name}: a model gives arguments by name")
        if name not in hints:
            raise ToolSchemaError(f"{name}: the parameter has no type hint")
        found[name] = (hints[name], parameter.default is parameter.empty)
    return found


def _told(function: Function) -> Iterator[tuple[str, str]]:
    """What the docstring says of each argument, as Google's style has it."""
    _, _, arguments = (inspect.getdoc(function) or "").partition("Args:\n")
    for line in arguments.splitlines():
        if match := _ARGUMENT.match(line):
            yield match[1], match[2].strip()
        elif line.strip() and not line.startswith(" "):
            return


def _summary(function: Function) -> str:
    """The docstring up to its first section."""
    return _SECTION.split(inspect.getdoc(function) or "", maxsplit=1)[0].strip()
