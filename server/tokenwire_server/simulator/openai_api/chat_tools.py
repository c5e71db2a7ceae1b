"""Tools, tool choice and response format of a chat request: what is refused, and what they mean."""

from dataclasses import dataclass
from typing import Literal

from tokenwire_server.simulator.answer import Tool
from tokenwire_server.simulator.openai_api import checks
from tokenwire_server.simulator.openai_api.checks import Check
from tokenwire_server.simulator.openai_api.errors import ApiError
from tokenwire_server.simulator.values import Json, as_list, as_object, as_text

NAME = r"^[a-zA-Z0-9_-]+$"
MOST_TOOLS = 128
NO_PARAMETERS: Json = {"type": "object", "properties": {}}
ANY_OBJECT: Json = {
    "type": "object",
    "properties": {"simulated": {"const": True}, "answer": {"type": "string"}},
}
"""The schema of answers in JSON mode."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which tools may be called, and whether one must be."""

    tools: tuple[Tool, ...]
    call: Literal["none", "auto", "required"]


def check_tools(where: str, value: object) -> None:
    """Refuses tools that the API refuses."""
    for index, item in enumerate(checks.an_array(where, value, most=MOST_TOOLS)):
        _check_tool(f"{where}[{index}]", item)


def _check_tool(where: str, value: object) -> None:
    tool = checks.an_object(where, value)
    if tool.get("type") is None:
        raise checks.missing(f"{where}.type")
    checks.one_of("function", "custom")(f"{where}.type", tool["type"])
    kind = as_text(tool["type"])
    rows: dict[str, Check] = {
        "type": checks.anything,
        kind: _check_function if kind == "function" else _check_custom,
    }
    checks.fields(where, tool, rows, required=(kind,))


def _check_function(where: str, value: object) -> None:
    rows: dict[str, Check] = {
        "name": checks.string(64, NAME),
        "description": checks.string(),
        "parameters": checks.objects,
        "strict": checks.boolean,
    }
    function = checks.fields(where, value, rows, required=("name",))
    schema = as_object(function.get("parameters"))
    problem = root_problem(schema) if schema else ""
    if not problem and schema and function.get("strict"):
        problem = strict_problem(schema)
    if problem:
        text = f"Invalid schema for function '{function['name']}': {problem}"
        raise ApiError(text, f"{where}.parameters", "invalid_function_parameters")


def _check_custom(where: str, value: object) -> None:
    rows: dict[str, Check] = {
        "name": checks.string(64, NAME),
        "description": checks.string(),
        "format": checks.objects,
    }
    custom = checks.fields(where, value, rows, required=("name",))
    form = as_object(custom.get("format"))
    if form:
        checks.one_of("text", "grammar")(f"{where}.format.type", form.get("type"))
    if form.get("type") == "grammar":
        raise checks.not_simulated(f"{where}.format", "grammars of custom tools")


def check_response_format(where: str, value: object) -> None:
    """Refuses formats that the API refuses."""
    form = checks.an_object(where, value)
    if form.get("type") is None:
        raise checks.missing(f"{where}.type")
    checks.one_of("json_object", "json_schema", "text")(f"{where}.type", form["type"])
    rows: dict[str, Check] = {"type": checks.anything}
    if form["type"] == "json_schema":
        rows["json_schema"] = _check_json_schema
    checks.fields(where, form, rows, required=tuple(rows))


def _check_json_schema(where: str, value: object) -> None:
    rows: dict[str, Check] = {
        "name": checks.string(64, NAME),
        "description": checks.string(),
        "schema": checks.objects,
        "strict": checks.boolean,
    }
    form = checks.fields(where, value, rows, required=("name",))
    if not form.get("strict"):
        return
    schema = as_object(form.get("schema"))
    problem = root_problem(schema) or strict_problem(schema)
    if problem:
        text = f"Invalid schema for response_format '{form['name']}': {problem}"
        raise ApiError(text, "response_format", "invalid_json_schema")


def root_problem(schema: Json) -> str:
    """What keeps a schema from being one of an object; "" if nothing does."""
    kind = schema.get("type")
    if kind == "object":
        return ""
    named = kind if isinstance(kind, str) else "None"
    return f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{named}\"'."


def strict_problem(schema: Json, context: tuple[str, ...] = ()) -> str:
    """What keeps a schema from being strict: every object closed, every property required."""
    place = f"In context=({', '.join(map(repr, context))}{',' * (len(context) == 1)})"
    properties = as_object(schema.get("properties"))
    if schema.get("type") == "object" or properties:
        if schema.get("additionalProperties") is not False:
            return f"{place}, 'additionalProperties' is required to be supplied and to be false."
        if left_out := [name for name in properties if name not in as_list(schema.get("required"))]:
            return (
                f"{place}, 'required' is required to be supplied and to be an array including every key in "
                f"properties. Missing '{left_out[0]}'."
            )
    return next(filter(None, (strict_problem(part, (*context, *at)) for at, part in _parts(schema))), "")


def _parts(schema: Json) -> list[tuple[tuple[str, ...], Json]]:
    """The schemas right inside a schema, each with its place."""
    found: list[tuple[tuple[str, ...], Json]] = []
    for key in ("properties", "$defs", "definitions"):
        found += [((key, name), as_object(part)) for name, part in as_object(schema.get(key)).items()]
    found += [(("anyOf", str(at)), as_object(part)) for at, part in enumerate(as_list(schema.get("anyOf")))]
    return [*found, (("items",), as_object(schema["items"]))] if "items" in schema else found


def check_tool_choice(where: str, value: object) -> None:
    """Refuses choices that the API refuses, those of tools that are not offered apart."""
    if isinstance(value, str):
        checks.one_of("none", "auto", "required")(where, value)
        return
    choice = checks.an_object(where, value)
    checks.one_of("function", "custom", "allowed_tools")(f"{where}.type", choice.get("type"))
    kind = as_text(choice["type"])
    rows: dict[str, Check] = {"type": checks.anything, kind: checks.objects}
    checks.fields(where, choice, rows, required=(kind,))
    if kind == "allowed_tools":
        allowed: dict[str, Check] = {"mode": checks.one_of("auto", "required"), "tools": _check_references}
        checks.fields(f"{where}.{kind}", choice[kind], allowed, required=("mode", "tools"))
    else:
        checks.fields(f"{where}.{kind}", choice[kind], {"name": checks.string()}, required=("name",))


def _check_references(where: str, value: object) -> None:
    for index, item in enumerate(checks.an_array(where, value, least=1)):
        checks.an_object(f"{where}[{index}]", item)


def choice_of(body: Json) -> Choice:
    """What the checked request lets the model call; ApiError if it chooses a tool that it does not offer."""
    tools = {tool.name: tool for tool in map(_tool, map(as_object, as_list(body.get("tools"))))}
    given = body.get("tool_choice")
    if isinstance(given, str):
        return Choice(tuple(tools.values()), mode(given))
    if not isinstance(given, dict):
        return Choice(tuple(tools.values()), "auto" if tools else "none")
    if given["type"] == "allowed_tools":
        allowed = as_object(given["allowed_tools"])
        names = [_named(as_object(item)) for item in as_list(allowed["tools"])]
        return Choice(chosen(tools, names), mode(as_text(allowed["mode"])))
    return Choice(chosen(tools, [_named(given)]), "required")


def mode(word: str) -> Literal["none", "auto", "required"]:
    """What a choice by name says of calls."""
    return "required" if word == "required" else "none" if word == "none" else "auto"


def chosen(tools: dict[str, Tool], names: list[str]) -> tuple[Tool, ...]:
    """The tools with these names; ApiError if one is not offered."""
    if absent := [name for name in names if name not in tools]:
        raise ApiError(f"Tool choice '{absent[0]}' not found in 'tools' parameter.", "tool_choice")
    return tuple(tools[name] for name in names)


def _named(reference: Json) -> str:
    return as_text(as_object(reference.get(as_text(reference.get("type")))).get("name"))


def _tool(tool: Json) -> Tool:
    name = _named(tool)
    if tool["type"] == "custom":
        return Tool(name)
    return Tool(name, as_object(as_object(tool["function"]).get("parameters")) or NO_PARAMETERS)


def schema_of(body: Json) -> Json | None:
    """The schema that the answer must satisfy; None for text."""
    form = as_object(body.get("response_format"))
    if form.get("type") == "json_object":
        return ANY_OBJECT
    if form.get("type") == "json_schema":
        return as_object(as_object(form["json_schema"]).get("schema"))
    return None
