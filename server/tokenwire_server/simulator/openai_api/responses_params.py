"""The parameters of a Responses request, apart from its input: what the real API refuses."""

from collections.abc import Mapping, Sequence

from tokenwire_server.simulator.openai_api import checks, models
from tokenwire_server.simulator.openai_api.chat_params import metadata, refused
from tokenwire_server.simulator.openai_api.checks import Check
from tokenwire_server.simulator.openai_api.errors import ApiError
from tokenwire_server.simulator.openai_api.models import Family
from tokenwire_server.simulator.openai_api.responses_input import text_of
from tokenwire_server.simulator.openai_api.responses_tools import (
    check_format,
    check_tool_choice,
    check_tools,
)
from tokenwire_server.simulator.values import Json, as_list, as_object, as_text

NOT_SIMULATED: Mapping[str, str] = {
    "background responses": "the parameter background when it is true, and background_options",
    "stored conversations": "the parameter conversation; previous_response_id is simulated",
    "stored prompts": "the parameter prompt",
    "context management": "the parameter context_management; compacted items are taken as they are",
    "access programs": "the parameter access_programs",
    "image settings": "the parameter image",
}
"""What the real Responses API accepts and the simulator refuses, with the code not_simulated."""

ENCRYPTED = "reasoning.encrypted_content"
LOGPROBS = "message.output_text.logprobs"
SOURCES = "web_search_call.action.sources"
_INCLUDABLE = (
    *("file_search_call.results", "web_search_call.results", SOURCES, "message.input_image.image_url"),
    *("computer_call_output.output.image_url", "code_interpreter_call.outputs", ENCRYPTED, LOGPROBS),
)
_LEAST_OUTPUT = 16  # tokens that an answer may be limited to
_SUMMARY = checks.one_of("auto", "concise", "detailed")


def _background(where: str, value: object) -> None:
    checks.boolean(where, value)
    if value:
        raise checks.not_simulated(where, "background responses")


def _include(where: str, value: object) -> None:
    for index, item in enumerate(checks.an_array(where, value)):
        checks.one_of(*_INCLUDABLE)(f"{where}[{index}]", item)


def _reasoning(where: str, value: object) -> None:
    rows: dict[str, Check] = {
        "effort": checks.one_of("none", "minimal", "low", "medium", "high", "xhigh", "max"),
        "summary": _SUMMARY,
        "generate_summary": _SUMMARY,
        "context": checks.one_of("auto", "current_turn", "all_turns"),
        "mode": checks.one_of("standard", "pro"),
    }
    checks.fields(where, value, rows)


def _stream_options(where: str, value: object) -> None:
    checks.fields(where, value, {"include_obfuscation": checks.boolean})


def _text(where: str, value: object) -> None:
    checks.fields(where, value, {"format": check_format, "verbosity": checks.one_of("low", "medium", "high")})


_PARAMETERS: Mapping[str, Check] = {
    "model": checks.string(),
    "input": checks.anything,  # checked on its own
    "access_programs": refused("access programs"),
    "background": _background,
    "background_options": refused("background responses"),
    "context_management": refused("context management"),
    "conversation": refused("stored conversations"),
    "image": refused("image settings"),
    "include": _include,
    "instructions": checks.string(),
    "max_output_tokens": checks.integer(0),  # the models of the API itself want more
    "max_tool_calls": checks.integer(1),
    "metadata": metadata,
    "moderation": refused("moderation"),
    "parallel_tool_calls": checks.boolean,
    "previous_response_id": checks.string(),
    "prompt": refused("stored prompts"),
    "prompt_cache_key": checks.string(),
    "prompt_cache_options": checks.objects,
    "prompt_cache_retention": checks.one_of("in_memory", "24h"),
    "reasoning": _reasoning,
    "safety_identifier": checks.string(128),
    "service_tier": checks.one_of("auto", "default", "flex", "scale", "priority", "fast", "ultrafast"),
    "store": checks.boolean,
    "stream": checks.boolean,
    "stream_options": _stream_options,
    "temperature": checks.number(0, 2),
    "text": _text,
    "tool_choice": check_tool_choice,
    "tools": check_tools,
    "top_logprobs": checks.integer(0, 20),
    "top_p": checks.number(0, 1),
    "truncation": checks.one_of("auto", "disabled"),
    "user": checks.string(),
}

PARAMETERS = tuple(_PARAMETERS)
"""The names of all parameters, refused ones included."""


def check_parameters(body: Json) -> None:
    """Refuses parameters that are unknown, of a wrong type, out of range or not together."""
    for name, value in body.items():
        if name not in _PARAMETERS:
            raise ApiError(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
        if value is not None:
            _PARAMETERS[name](name, value)
    if body.get("stream_options") is not None and not body.get("stream"):
        text = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise ApiError(text, "stream_options")


def check_model(model: str) -> None:
    """Refuses models that do not exist, and those that have no responses."""
    if not models.is_known(model):
        raise models.not_found(model)
    if models.only_in_chat(model):
        text = f"The requested model '{model}' is not supported with the Responses API."
        raise ApiError(text, "model", "model_not_found")


def check_says_json(body: Json, items: Sequence[Json]) -> None:
    """Refuses JSON mode where no message of the input asks for JSON; instructions do not count."""
    form = as_object(as_object(body.get("text")).get("format"))
    if form.get("type") != "json_object":
        return
    if not any("json" in text_of(item).lower() for item in items if item["type"] == "message"):
        raise ApiError(
            "Response input messages must contain the word 'json' in some form to use 'text.format' of type "
            "'json_object'.",
            "input",
        )


def effort_of(body: Json, family: Family) -> str:
    """How much the model is to reason."""
    return as_text(as_object(body.get("reasoning")).get("effort")) or family.effort


def summary_of(body: Json) -> str | None:
    """What kind of summary of the reasoning is asked for."""
    asked = as_object(body.get("reasoning"))
    return as_text(asked.get("summary")) or as_text(asked.get("generate_summary")) or None


def includes(body: Json, what: str) -> bool:
    """Whether the request asks for something that answers do not always have."""
    return what in as_list(body.get("include"))


def check_for_model(body: Json, family: Family) -> None:
    """Refuses what only other models take."""
    if body.get("max_output_tokens") is not None:
        checks.integer(_LEAST_OUTPUT)("max_output_tokens", body["max_output_tokens"])
    if family.reasons:
        _check_effort(body, family)
    else:
        _check_no_reasoning(body)
    if effort_of(body, family) != "none":
        _check_sampling(body)
    verbosity = as_object(body.get("text")).get("verbosity")
    if verbosity is not None and not family.verbosity:
        _check_value("text.verbosity", as_text(verbosity), as_text(body["model"]), ("medium",))


def _check_effort(body: Json, family: Family) -> None:
    effort = effort_of(body, family)
    _check_value("reasoning.effort", effort, as_text(body["model"]), family.efforts)


def _check_value(where: str, value: str, model: str, supported: tuple[str, ...]) -> None:
    if value not in supported:
        raise ApiError(
            f"Unsupported value: '{value}' is not supported with the '{model}' model. "
            f"Supported values are: {checks.listed(supported, 'and')}.",
            where,
            "unsupported_value",
        )


def _check_no_reasoning(body: Json) -> None:
    for name, value in as_object(body.get("reasoning")).items():
        if name in {"effort", "summary", "generate_summary"} and value is not None:
            raise checks.unsupported(f"reasoning.{name}")
    if includes(body, ENCRYPTED):
        raise ApiError("Encrypted content is not supported with this model.", "include")


def _check_sampling(body: Json) -> None:
    """While it reasons, a model takes no other sampling than its own."""
    for name in ("temperature", "top_p"):
        if body.get(name) not in (None, 1):
            raise checks.unsupported(name)
    if includes(body, LOGPROBS):
        text = "logprobs are not supported with reasoning models."
        raise ApiError(text, "include", "unsupported_parameter")
    if body.get("top_logprobs"):
        raise checks.unsupported("top_logprobs")
