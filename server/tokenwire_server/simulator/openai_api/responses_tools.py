"""Tools, tool choice and text format of a Responses request: what is refused, and what they mean."""

from tokenwire_server.simulator.answer import Tool
from tokenwire_server.simulator.openai_api import checks
from tokenwire_server.simulator.openai_api.chat_tools import (
    ANY_OBJECT,
    MOST_TOOLS,
    NAME,
    NO_PARAMETERS,
    Choice,
    chosen,
    mode,
    root_problem,
    strict_problem,
)
from tokenwire_server.simulator.openai_api.checks import Check
from tokenwire_server.simulator.openai_api.errors import ApiError
from tokenwire_server.simulator.values import Json, as_list, as_object, as_text

_OWN = ("function", "custom")  # tools that the caller runs
_HOSTED = (
    *("web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11"),
    *("file_search", "code_interpreter", "image_generation", "mcp", "computer", "computer_use_preview"),
    *("local_shell", "shell", "apply_patch", "tool_search", "namespace", "programmatic_tool_calling"),
)
_COMMON: dict[str, Check] = {
    "type": checks.anything,
    "name": checks.string(128, NAME),
    "description": checks.string(),
    "defer_loading": checks.boolean,
    "allowed_callers": checks.anything,
}
_FUNCTION = _COMMON | {
    "parameters": checks.objects,
    "strict": checks.boolean,
    "output_schema": checks.objects,
}
_CUSTOM = _COMMON | {"format": checks.objects}


def check_tools(where: str, value: object) -> None:
    """Refuses tools that the API refuses; the fields of those that the provider runs are not looked at."""
    for index, item in enumerate(checks.an_array(where, value, most=MOST_TOOLS)):
        place = f"{where}[{index}]"
        tool = checks.an_object(place, item)
        if tool.get("type") is None:
            raise checks.missing(f"{place}.type")
        checks.one_of(*_OWN, *_HOSTED)(f"{place}.type", tool["type"])
        if tool["type"] == "function":
            _check_function(place, tool)
        elif tool["type"] == "custom":
            _check_custom(place, tool)


def _check_function(where: str, tool: Json) -> None:
    checks.fields(where, tool, _FUNCTION, required=("name",))
    schema = as_object(tool.get("parameters"))
    problem = root_problem(schema) if schema else ""
    if not problem and schema and tool.get("strict"):
        problem = strict_problem(schema)
    if problem:
        text = f"Invalid schema for function '{tool['name']}': {problem}"
        raise ApiError(text, f"{where}.parameters", "invalid_function_parameters")


def _check_custom(where: str, tool: Json) -> None:
    checks.fields(where, tool, _CUSTOM, required=("name",))
    form = as_object(tool.get("format"))
    if form:
        checks.one_of("text", "grammar")(f"{where}.format.type", form.get("type"))
    if form.get("type") == "grammar":
        raise checks.not_simulated(f"{where}.format", "grammars of custom tools")


def check_format(where: str, value: object) -> None:
    """Refuses formats that the API refuses."""
    form = checks.an_object(where, value)
    if form.get("type") is None:
        raise checks.missing(f"{where}.type")
    checks.one_of("json_object", "json_schema", "text")(f"{where}.type", form["type"])
    rows: dict[str, Check] = {"type": checks.anything}
    if form["type"] != "json_schema":
        checks.fields(where, form, rows)
        return
    rows |= {
        "name": checks.string(64, NAME),
        "description": checks.string(),
        "schema": checks.objects,
        "strict": checks.boolean,
    }
    checks.fields(where, form, rows, required=("name", "schema"))
    schema = as_object(form["schema"])
    problem = (root_problem(schema) or strict_problem(schema)) if form.get("strict") else ""
    if problem:
        text = f"Invalid schema for response_format '{form['name']}': {problem}"
        raise ApiError(text, f"{where}.schema", "invalid_json_schema")


def check_tool_choice(where: str, value: object) -> None:
    """Refuses choices that the API refuses, those of tools that are not offered apart."""
    if isinstance(value, str):
        checks.one_of("none", "auto", "required")(where, value)
        return
    choice = checks.an_object(where, value)
    if choice.get("type") is None:
        raise checks.missing(f"{where}.type")
    checks.one_of(*_OWN, "allowed_tools", *_HOSTED)(f"{where}.type", choice["type"])
    rows: dict[str, Check] = {"type": checks.anything}
    if choice["type"] == "allowed_tools":
        rows |= {"mode": checks.one_of("auto", "required"), "tools": _check_references}
        checks.fields(where, choice, rows, required=("mode", "tools"))
    elif choice["type"] in _OWN:
        checks.fields(where, choice, rows | {"name": checks.string()}, required=("name",))


def _check_references(where: str, value: object) -> None:
    for index, item in enumerate(checks.an_array(where, value, least=1)):
        checks.an_object(f"{where}[{index}]", item)


def choice_of(body: Json) -> Choice:
    """What the checked request lets the model call; ApiError if it chooses a tool that it does not offer."""
    offered = list(map(as_object, as_list(body.get("tools"))))
    tools = {as_text(tool["name"]): _tool(tool) for tool in offered if tool["type"] in _OWN}
    given = body.get("tool_choice")
    if given == "required" and not offered:
        text = "Tool choice 'required' must be specified with 'tools' parameter."
        raise ApiError(text, "tool_choice")
    if not tools and not isinstance(given, dict):
        return Choice((), "none")
    if not isinstance(given, dict):
        return Choice(tuple(tools.values()), mode(as_text(given)))
    if given["type"] == "allowed_tools":
        names = [as_text(item.get("name")) for item in map(as_object, as_list(given["tools"])) if _own(item)]
        return Choice(chosen(tools, names), mode(as_text(given["mode"])))
    if given["type"] in _OWN:
        return Choice(chosen(tools, [as_text(given["name"])]), "required")
    if not any(tool["type"] == given["type"] for tool in offered):
        text = f"Tool choice '{given['type']}' not found in 'tools' parameter."
        raise ApiError(text, "tool_choice")
    return Choice((), "none")


def searches(body: Json) -> bool:
    """Whether the checked request lets the model search the web."""
    kinds = [as_text(as_object(tool)["type"]) for tool in as_list(body.get("tools"))]
    return any(kind.startswith("web_search") for kind in kinds) and body.get("tool_choice") != "none"


def _own(reference: Json) -> bool:
    return reference.get("type") in _OWN


def _tool(tool: Json) -> Tool:
    name = as_text(tool["name"])
    if tool["type"] == "custom":
        return Tool(name)
    return Tool(name, as_object(tool.get("parameters")) or NO_PARAMETERS)


def schema_of(body: Json) -> Json | None:
    """The schema that the answer must satisfy; None for text."""
    form = as_object(as_object(body.get("text")).get("format"))
    if form.get("type") == "json_object":
        return ANY_OBJECT
    return as_object(form["schema"]) if form.get("type") == "json_schema" else None
