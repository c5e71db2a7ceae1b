"""Python types ↔ JSON: the schema of a type, and values read by it. All of it is pydantic's work."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from tokenwire.errors import OutputInvalid, ToolSchemaError

if TYPE_CHECKING:  # it is optional, and slow to load
    from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")
Json = dict[str, Any]

EXTRA: Final = "this needs pydantic: pip install 'tokenwire[tools]'"
_CHILDREN: Final = ("properties", "$defs")
_DROPPED: Final = ("default", "title")
"""What models do not need, and enforcing providers refuse."""


class Shape(Generic[T]):
    """A type that values are read into: a pydantic model, a dataclass, a TypedDict.

    Raises ToolSchemaError where the type has no JSON Schema, ImportError without pydantic.
    """

    def __init__(self, kind: type[T]) -> None:
        adapter = _adapter(kind)
        self.name: Final[str] = getattr(kind, "__name__", "value")
        self.description: Final[str] = _described(kind)
        self._adapter: TypeAdapter[T] = adapter
        self.schema: Final = closed(json_schema(adapter))

    def read(self, text: str) -> T:
        """The value that a JSON text holds. Raises OutputInvalid."""
        from pydantic import ValidationError  # noqa: PLC0415 (pydantic is optional)

        try:
            return self._adapter.validate_json(text)
        except ValidationError as error:
            raise OutputInvalid("; ".join(mistakes(error)), text) from None


def json_schema(adapter: "TypeAdapter[Any]") -> Json:
    """What pydantic says of a type. Raises ToolSchemaError."""
    from pydantic import PydanticUserError  # noqa: PLC0415 (pydantic is optional)

    try:
        schema = adapter.json_schema()
    except PydanticUserError as error:
        raise ToolSchemaError(error.message) from None
    # A type that holds itself is only referred to; providers want an object at the root.
    name = schema.pop("$ref", "").removeprefix("#/$defs/")
    return {**schema["$defs"][name], **schema} if name else schema


def mistakes(error: "ValidationError") -> Iterator[str]:
    """What is wrong, each with its path, without the values."""
    for mistake in error.errors(include_url=False, include_input=False):
        path = ".".join(map(str, mistake["loc"]))
        yield f"{path}: {mistake['msg']}" if path else mistake["msg"]


def closed(schema: Json) -> Json:
    """The schema as enforcing providers want it: every property required, and no others."""
    found: Json = {key: _inner(key, value) for key, value in schema.items() if key not in _DROPPED}
    if (properties := found.get("properties")) is not None:
        found |= {"required": list(properties), "additionalProperties": False}
    return found


def is_strict(schema: Any) -> bool:  # noqa: ANN401 (JSON)
    """Whether a closed schema can be enforced: no free-form objects, and none of the rarer keywords."""
    if isinstance(schema, list):
        return all(map(is_strict, schema))
    if not isinstance(schema, Mapping):
        return True
    if schema.get("type") == "object" and "properties" not in schema:
        return False
    if {"oneOf", "allOf", "prefixItems", "patternProperties"} & schema.keys():
        return False
    return all(_strict_child(key, value) for key, value in schema.items())


def _strict_child(key: str, value: object) -> bool:
    if key in _CHILDREN and isinstance(value, Mapping):
        return all(map(is_strict, value.values()))
    return key in ("enum", "const", "examples") or is_strict(value)


def _inner(key: str, value: object) -> object:
    if key in ("enum", "const", "examples"):
        return value
    if key in _CHILDREN and isinstance(value, dict):
        return {name: closed(child) for name, child in value.items()}
    if isinstance(value, list):
        return [_inner("", item) for item in value]
    return closed(value) if isinstance(value, dict) else value


def _adapter(kind: type[T]) -> "TypeAdapter[T]":
    try:
        from pydantic import PydanticUndefinedAnnotation, PydanticUserError, TypeAdapter  # noqa: PLC0415 (pydantic is optional)
    except ImportError:
        raise ImportError(EXTRA) from None
    try:
        return TypeAdapter(kind)
    except (PydanticUserError, PydanticUndefinedAnnotation) as error:
        raise ToolSchemaError(error.message) from None


def _described(kind: type) -> str:
    """A type's own docstring, without the signature that a dataclass makes up."""
    text = (kind.__doc__ or "").strip()
    return "" if text.startswith(f"{kind.__name__}(") else text.partition("\n\n")[0]
