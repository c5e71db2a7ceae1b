"""The parameters of a chat request: what the real API refuses, and what they mean.

Names, types and nulls are those of the SDK's request model; ranges are those of the documents.
"""

from collections.abc import Mapping

from tokenwire_server.simulator.answer import Tool
from tokenwire_server.simulator.mistral_api import checks
from tokenwire_server.simulator.mistral_api.chat_messages import CHECK_MESSAGES, not_simulated
from tokenwire_server.simulator.mistral_api.checks import Place, null_or
from tokenwire_server.simulator.mistral_api.errors import ApiError
from tokenwire_server.simulator.mistral_api.models import Model
from tokenwire_server.simulator.values import Json, as_list, as_object, as_text, canonical

NOT_SIMULATED: Mapping[str, str] = {
    "audio input": "message parts of type input_audio",
    "resource chunks": "Mistral's message parts of types resource and resource_link",
    "hosted tools": "Mistral's tools of other types than function",
    "logprobs of the prompt": "Mistral's prompt_logprobs and top_prompt_logprobs",
}
"""What the real API accepts and the simulator refuses, with the code not_simulated."""

_NAME = r"^[a-zA-Z0-9_-]{1,64}$"
_NO_PARAMETERS: Json = {"type": "object", "properties": {}}
_INVALID_ARGS = ("invalid_request_invalid_args", "3051")
_HOSTED = (
    "image_generation",
    "document_library",
    "connector",
    "web_search",
    "web_search_premium",
    "code_interpreter",
)

_FUNCTION = checks.fields(
    {
        "name": checks.string(_NAME),
        "description": checks.string(),
        "parameters": checks.objects,
        "strict": checks.boolean,
    },
    required=("name", "parameters"),
)
_FUNCTION_TOOL = checks.fields({"type": checks.string(), "function": _FUNCTION}, required=("function",))


def _tool(place: Place, value: object) -> list[Json]:
    if as_object(value).get("type") in _HOSTED:
        return not_simulated("hosted tools")(place, value)
    return _FUNCTION_TOOL(place, value)


def _tool_choice(place: Place, value: object) -> list[Json]:
    if isinstance(value, str):
        return checks.one_of("auto", "none", "any", "required")(place, value)
    named = checks.fields({"name": checks.string()}, required=("name",))
    rows = {"type": checks.string(), "function": named}
    return checks.fields(rows, required=("function",))(place, value)


_SCHEMA = checks.fields(
    {
        "name": checks.string(),
        "description": null_or(checks.string()),
        "schema": checks.objects,
        "strict": checks.boolean,
    },
    required=("name", "schema"),
)
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

_CHECK = checks.fields(
    {
        "model": checks.string(),
        "messages": CHECK_MESSAGES,
        "temperature": null_or(checks.number(0, 1.5)),
        "top_p": null_or(checks.number(0, 1)),
        "max_tokens": null_or(checks.integer(0)),
        "stream": checks.boolean,
        "stop": null_or(checks.text_or(checks.array(checks.string()), "list[str]")),
        "random_seed": null_or(checks.integer(0)),
        "metadata": null_or(checks.objects),
        "response_format": checks.fields(
            {
                "type": checks.one_of("text", "json_object", "json_schema"),
                "json_schema": null_or(_SCHEMA),
            }
        ),
        "tools": null_or(checks.array(_tool)),
        "tool_choice": _tool_choice,
        "presence_penalty": null_or(checks.number(-2, 2)),
        "frequency_penalty": null_or(checks.number(-2, 2)),
        "min_tokens": null_or(checks.integer(0)),
        "repetition_penalty": null_or(checks.number(0)),
        "top_k": null_or(checks.integer(-1)),
        "logprobs": null_or(checks.boolean),
        "top_logprobs": null_or(checks.integer(0, 20)),
        "prompt_logprobs": null_or(not_simulated("logprobs of the prompt")),
        "top_prompt_logprobs": null_or(not_simulated("logprobs of the prompt")),
        "n": null_or(checks.integer(1)),
        "prediction": checks.fields({"type": checks.one_of("content"), "content": checks.string()}),
        "parallel_tool_calls": checks.boolean,
        "reasoning_effort": null_or(checks.one_of(*_EFFORTS)),
        "prompt_mode": null_or(checks.one_of("reasoning")),
        "guardrails": null_or(checks.array(checks.objects)),
        "prompt_cache_key": null_or(checks.string()),
        "service_tier": null_or(checks.one_of("auto", "standard_only")),
        "safe_prompt": checks.boolean,
    },
    required=("model", "messages"),
)


def check_form(value: object) -> list[Json]:
    """All that keeps a body from having the form of a request."""
    return _CHECK(("body",), value)


def check_for_model(body: Json, model: Model, *, image: bool) -> None:
    """Refuses what only other models take. The texts are made after the API's other ones."""
    wanted = {
        "Function calling": ("function_calling", bool(body.get("tools"))),
        "Image input": ("vision", image),
        "Reasoning effort": ("reasoning", body.get("reasoning_effort") not in {None, "none"}),
        "Prompt mode": ("reasoning", body.get("prompt_mode") is not None),
    }
    for name, (capability, asked) in wanted.items():
        if asked and not model.can(capability):
            raise ApiError(f"{name} is not enabled for this model", *_INVALID_ARGS)
    form = as_object(body.get("response_format"))
    if form.get("type") == "json_schema" and form.get("json_schema") is None:
        raise ApiError("json_schema must be provided when type is json_schema", *_INVALID_ARGS)


def effort_of(body: Json, model: Model) -> str:
    """How much the model is to reason."""
    if given := as_text(body.get("reasoning_effort")):
        return given
    return "medium" if model.always_reasons or body.get("prompt_mode") else "none"


def tools_of(body: Json) -> tuple[Tool, ...]:
    """The tools that may be called."""
    functions = [as_object(as_object(tool).get("function")) for tool in as_list(body.get("tools"))]
    tools = [
        Tool(as_text(function["name"]), as_object(function["parameters"]) or _NO_PARAMETERS)
        for function in functions
    ]
    choice = as_object(body.get("tool_choice"))
    if not choice:
        return tuple(tools)
    name = as_text(as_object(choice["function"])["name"])
    forced = tuple(tool for tool in tools if tool.name == name)
    if not forced:
        raise ApiError(f"Tool choice names the function {name}, which is not in tools", *_INVALID_ARGS)
    return forced


def schema_of(body: Json) -> Json | None:
    """The schema of the answer; None for text."""
    form = as_object(body.get("response_format"))
    if form.get("type") == "json_schema":
        return as_object(as_object(form["json_schema"])["schema"])
    return {"type": "object"} if form.get("type") == "json_object" else None


def key_of(body: Json) -> str:
    """Equal for requests that must have equal answers: all but how the answer is delivered."""
    return canonical({key: value for key, value in body.items() if key != "stream"}).decode()
