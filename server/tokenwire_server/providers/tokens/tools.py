"""Functions as OpenAI's models are shown them: declared in TypeScript, as its Harmony format publishes it for
the open models. It comes within a tenth of what OpenAI counts for the others."""

from collections.abc import Iterable, Iterator

import orjson

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.providers.chat_form import function


def declared(functions: Iterable[pb.FunctionTool]) -> str:
    """The text of all declarations."""
    return "namespace functions {\n\n" + "".join(map(_declaration, functions)) + "} // namespace functions"


def _declaration(tool: pb.FunctionTool) -> str:
    text = orjson.dumps(function(tool))
    parameters = orjson.loads(text).get("parameters", {})
    try:
        arguments = f"_: {_type(parameters)}" if parameters.get("properties") else ""
    except (RecursionError, orjson.JSONEncodeError):  # JSON may be nested deeper than calls
        arguments = text.decode()
    return f"{_comment(tool.description)}type {tool.name} = ({arguments}) => any;\n\n"


def _comment(description: object) -> str:
    return f"// {description}\n" if description else ""


def _type(schema: object) -> str:
    """Of a JSON Schema as callers write it, which may be anything."""
    match schema:
        case {"enum": list(values)}:
            return " | ".join(orjson.dumps(value).decode() for value in values)
        case {"anyOf": list(options)}:
            return " | ".join(map(_type, options))
        case {"properties": dict(properties), **others}:
            return "{\n" + "".join(_fields(properties, others.get("required"))) + "}"
        case {"items": items}:
            return f"{_type(items)}[]"
        case {"type": "integer"}:
            return "number"
        case {"type": str(name)}:
            return name
        case _:
            return "any"


def _fields(properties: dict[str, object], required: object) -> Iterator[str]:
    for name, schema in properties.items():
        mark = "" if isinstance(required, list) and name in required else "?"
        comment = _comment(schema.get("description")) if isinstance(schema, dict) else ""
        yield f"{comment}{name}{mark}: {_type(schema)},\n"
