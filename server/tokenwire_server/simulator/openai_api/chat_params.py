"""The parameters of a chat request, apart from messages: what the real API refuses."""

from collections.abc import Mapping
from dataclasses import replace

from tokenwire_server.simulator.openai_api import checks
from tokenwire_server.simulator.openai_api.chat_messages import text_of
from tokenwire_server.simulator.openai_api.chat_tools import (
    check_response_format,
    check_tool_choice,
    check_tools,
)
from tokenwire_server.simulator.openai_api.checks import Check
from tokenwire_server.simulator.openai_api.errors import ApiError
from tokenwire_server.simulator.openai_api.models import Family
from tokenwire_server.simulator.values import Json, as_int, as_list, as_object, as_text, canonical

NOT_SIMULATED: Mapping[str, str] = {
    "audio input": "message parts of type input_audio",
    "audio output": "modalities with audio, and the parameter audio",
    "moderation": "the parameter moderation",
    "function_call": "the deprecated parameters functions and function_call; use tools",
    "grammars of custom tools": "custom tools whose format is a grammar",
}
"""What the real API accepts and the simulator refuses, with the code not_simulated."""


def refused(feature: str) -> Check:
    """Refuses whatever has a value: the simulator has not this feature."""

    def check(where: str, _value: object) -> None:
        raise checks.not_simulated(where, feature)

    return check


def _logit_bias(where: str, value: object) -> None:
    for token, bias in checks.an_object(where, value).items():
        checks.number(-100, 100)(f"{where}.{token}", bias)


def metadata(where: str, value: object) -> None:
    """Refuses metadata with too many pairs, or with too long ones."""
    pairs = checks.an_object(where, value)
    if len(pairs) > 16:
        expected = (
            f"Expected an object with at most 16 properties, but got an object with {len(pairs)} properties"
        )
        raise checks.invalid(
            where, f"too many properties. {expected} instead.", "object_above_max_properties"
        )
    for key, text in pairs.items():
        checks.string(64)(f"{where} key", key)
        checks.string(512)(f"{where}.{key}", text)


def _modalities(where: str, value: object) -> None:
    for index, item in enumerate(checks.an_array(where, value, least=1)):
        checks.one_of("text", "audio")(f"{where}[{index}]", item)
        if item == "audio":
            raise checks.not_simulated(where, "audio output")


def _stop(where: str, value: object) -> None:
    if isinstance(value, str):
        return
    if not isinstance(value, list):
        raise checks.wrong_type(where, "one of a string or array of strings", value)
    for index, item in enumerate(checks.an_array(where, value, most=4)):
        checks.string()(f"{where}[{index}]", item)


def _stream_options(where: str, value: object) -> None:
    flags = dict.fromkeys(("include_usage", "include_obfuscation"), checks.boolean)
    checks.fields(where, value, dict(flags))


def _web_search(where: str, value: object) -> None:
    size = checks.one_of("low", "medium", "high")
    checks.fields(where, value, {"search_context_size": size, "user_location": checks.objects})


def _prediction(where: str, value: object) -> None:
    rows: dict[str, Check] = {"type": checks.one_of("content"), "content": checks.anything}
    checks.fields(where, value, rows, required=("type", "content"))


_PARAMETERS: Mapping[str, Check] = {
    "model": checks.string(),
    "messages": checks.anything,  # checked on their own
    "audio": refused("audio output"),
    "frequency_penalty": checks.number(-2, 2),
    "function_call": refused("function_call"),
    "functions": refused("function_call"),
    "logit_bias": _logit_bias,
    "logprobs": checks.boolean,
    "max_completion_tokens": checks.integer(1),
    "max_tokens": checks.integer(1),
    "metadata": metadata,
    "modalities": _modalities,
    "moderation": refused("moderation"),
    "n": checks.integer(1, 128),
    "parallel_tool_calls": checks.boolean,
    "prediction": _prediction,
    "presence_penalty": checks.number(-2, 2),
    "prompt_cache_key": checks.string(),
    "prompt_cache_options": checks.objects,
    "prompt_cache_retention": checks.one_of("in_memory", "24h"),
    "reasoning_effort": checks.one_of("none", "minimal", "low", "medium", "high", "xhigh", "max"),
    "response_format": check_response_format,
    "safety_identifier": checks.string(128),
    "seed": checks.integer(-(2**63), 2**63 - 1),
    "service_tier": checks.one_of("auto", "default", "flex", "scale", "priority", "fast"),
    "stop": _stop,
    "store": checks.boolean,
    "stream": checks.boolean,
    "stream_options": _stream_options,
    "temperature": checks.number(0, 2),
    "tool_choice": check_tool_choice,
    "tools": check_tools,
    "top_logprobs": checks.integer(0, 20),
    "top_p": checks.number(0, 1),
    "user": checks.string(),
    "verbosity": checks.one_of("low", "medium", "high"),
    "web_search_options": _web_search,
}

PARAMETERS = tuple(_PARAMETERS)
"""The names of all parameters, refused ones included."""

_SAMPLING = (
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
    "logit_bias",
)
_DEFAULTS: Json = {
    "temperature": 1,
    "top_p": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "logprobs": False,
}


def check_parameters(body: Json) -> None:
    """Refuses parameters that are unknown, of a wrong type, out of range or not together."""
    for name, value in body.items():
        if name not in _PARAMETERS:
            raise ApiError(f"Unrecognized request argument supplied: {name}")
        if value is not None:
            _PARAMETERS[name](name, value)
    _check_together(body)


def _check_together(body: Json) -> None:
    if not body.get("tools"):
        for name in ("tool_choice", "parallel_tool_calls"):
            if body.get(name) is not None:
                text = f"Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified."
                raise ApiError(text, name)
    for name, needed in (("stream_options", "stream"), ("top_logprobs", "logprobs")):
        if body.get(name) is not None and not body.get(needed):
            text = f"The '{name}' parameter is only allowed when '{needed}' is enabled."
            raise ApiError(text, name)
    if body.get("max_tokens") is not None and body.get("max_completion_tokens") is not None:
        text = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        raise ApiError(text, "max_tokens", "invalid_parameter_combination")
    if as_object(body.get("response_format")).get("type") == "json_object" and not _says_json(body):
        raise ApiError(
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type "
            "'json_object'.",
            "messages",
        )


def _says_json(body: Json) -> bool:
    return any("json" in text_of(as_object(message)).lower() for message in as_list(body.get("messages")))


def effort_of(body: Json, family: Family) -> str:
    """How much the model is to reason."""
    return as_text(body.get("reasoning_effort")) or family.effort


def check_for_model(body: Json, family: Family) -> None:
    """Refuses what only other models take."""
    if family.reasons:
        _check_reasoning(body, family)
    elif body.get("reasoning_effort") is not None:
        raise ApiError("Unrecognized request argument supplied: reasoning_effort")
    if family.search:
        for name in (*_SAMPLING, "n", "seed"):
            if body.get(name) is not None:
                raise ApiError(f"Model incompatible request argument supplied: {name}")
    elif body.get("web_search_options") is not None:
        raise ApiError("Web search options not supported with this model.", "web_search_options")
    checks.integer(1, family.most_choices)("n", body.get("n") or 1)
    for name in ("max_tokens", "max_completion_tokens"):
        wanted = as_int(body.get(name))
        if wanted is not None and wanted > family.longest:
            raise ApiError(
                f"{name} is too large: {wanted}. This model supports at most {family.longest} completion "
                f"tokens, whereas you provided {wanted}.",
                name,
                "invalid_value",
            )


def _check_reasoning(body: Json, family: Family) -> None:
    effort = effort_of(body, family)
    if effort not in family.efforts:
        listed = ", ".join(f"'{word}'" for word in family.efforts[:-1])
        raise ApiError(
            f"Unsupported value: 'reasoning_effort' does not support '{effort}' with this model. "
            f"Supported values are: {listed}, and '{family.efforts[-1]}'.",
            "reasoning_effort",
            "unsupported_value",
        )
    if body.get("max_tokens") is not None:
        error = checks.unsupported("max_tokens")
        raise replace(error, message=f"{error.message} Use 'max_completion_tokens' instead.")
    if effort != "none":
        _check_sampling(body, family)
    if body.get("stop") and not family.stop:
        raise checks.unsupported("stop")
    _check_roles(body, family)
    _check_tools_with_effort(body, family, effort)


def _check_sampling(body: Json, family: Family) -> None:
    for name in _SAMPLING:
        value = body.get(name)
        if value is None or (value == _DEFAULTS.get(name) and not family.fixed_sampling):
            continue
        if name == "temperature" and not family.fixed_sampling:
            raise ApiError(
                f"Unsupported value: 'temperature' does not support {value} with this model. "
                "Only the default (1) value is supported.",
                name,
                "unsupported_value",
            )
        raise checks.unsupported(name)


def _check_roles(body: Json, family: Family) -> None:
    if family.instructions:
        return
    for index, message in enumerate(map(as_object, as_list(body["messages"]))):
        if message["role"] in {"system", "developer"}:
            where = f"messages[{index}].role"
            text = f"Unsupported value: '{where}' does not support '{message['role']}' with this model."
            raise ApiError(text, where, "unsupported_value")


def _check_tools_with_effort(body: Json, family: Family, effort: str) -> None:
    if not family.tools_need_no_effort or effort == "none" or not body.get("tools"):
        return
    raise ApiError(
        f"Function tools with reasoning_effort are not supported for {as_text(body['model'])} in "
        "/v1/chat/completions. To use function tools, use /v1/responses or set reasoning_effort to 'none'.",
        "reasoning_effort",
    )


def key_of(body: Json) -> str:
    """Equal for requests that must have equal answers: all but how the answer is delivered."""
    return canonical(
        {key: value for key, value in body.items() if key not in {"stream", "stream_options"}}
    ).decode()
