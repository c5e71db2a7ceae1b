"""Keyword arguments of calls → requests.

Each field of ChatRequest and of its GenerationConfig is a keyword by its own name. The typed lists below are
for editors and type checkers; what counts is the contract.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol, TypeAlias, TypedDict, runtime_checkable

from tokenwire.fields import fill
from tokenwire.messages import Message, Turn, message, messages
from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import embed_pb2

Fields: TypeAlias = Mapping[str, object]


@runtime_checkable
class HasTools(Protocol):
    """Such as a ToolRegistry."""

    @property
    def tools(self) -> Iterable[pb.Tool]:
        """What the model may call."""


class ChatFields(TypedDict, total=False):
    """Keywords of calls with a conversation: fields of ChatRequest and GenerationConfig, and `system`."""

    system: str
    model: str
    messages: Iterable[Turn]
    config: Fields | pb.GenerationConfig
    tools: HasTools | Iterable[HasTools | Fields | pb.Tool]
    tool_choice: str | Iterable[str] | Fields | pb.ToolChoice
    response_format: str | Fields | pb.ResponseFormat
    reasoning: str | Fields | pb.ReasoningConfig
    parallel_tool_calls: bool
    unsupported_parameters: str | int
    stream_options: Fields | pb.StreamOptions
    provider_options: Fields
    fallback_models: Iterable[str]
    store: bool
    previous_response_id: str
    end_user_id: str
    prompt_cache_key: str
    service_tier: str
    metadata: Mapping[str, str]
    max_output_tokens: int
    temperature: float
    top_p: float
    stop: Iterable[str]
    seed: int
    top_k: int
    frequency_penalty: float
    presence_penalty: float
    candidate_count: int
    logprobs: bool
    top_logprobs: int
    verbosity: str
    logit_bias: Mapping[int, float]


class EmbedFields(TypedDict, total=False):
    """Keywords of `embed`: fields of EmbedRequest. Vectors are always sent packed."""

    model: str
    dimensions: int
    provider_options: Fields
    unsupported_parameters: str | int
    end_user_id: str
    fallback_models: Iterable[str]


_CONFIG: Final = pb.GenerationConfig.DESCRIPTOR.fields_by_name
_REQUEST: Final = pb.ChatRequest.DESCRIPTOR.fields_by_name
_MODES: Final = {
    "auto": pb.TOOL_CHOICE_MODE_AUTO,
    "none": pb.TOOL_CHOICE_MODE_NONE,
    "required": pb.TOOL_CHOICE_MODE_REQUIRED,
}


def chat_request(turns: Iterable[Turn], fields: Fields) -> pb.ChatRequest:
    """Raises TypeError for a keyword that is unknown or of a wrong type, ValueError for one out of range and
    for a conversation without messages."""
    for name in fields:
        if name != "system" and name not in _REQUEST and name not in _CONFIG:
            raise TypeError(f"{name!r} is neither a field of ChatRequest nor of GenerationConfig")
    plain = {name: value for name, value in fields.items() if name in _REQUEST and name not in _OTHERWISE}
    request = fill(pb.ChatRequest(), plain)
    if config := {name: fields[name] for name in fields if name in _CONFIG}:
        fill(request.config, config)
    for name, convert in _SPECIAL.items():
        if (value := fields.get(name)) is not None:
            fill(request, {name: convert(value)})
    request.messages.extend(_conversation(turns, fields))
    return request


def embed_request(texts: str | Iterable[str], fields: Fields) -> embed_pb2.EmbedRequest:
    """Raises as `chat_request` does."""
    request = embed_pb2.EmbedRequest(encoding=embed_pb2.VECTOR_ENCODING_PACKED)
    if owned := fields.keys() & {"input", "encoding"}:
        raise TypeError(f"{owned.pop()!r} is given by the texts and by the client")
    return fill(request, {"input": texts, **fields})


def function_tool(name: str, description: str, schema: Fields, *, strict: bool | None = None) -> pb.Tool:
    """A function that a model may call, by the JSON Schema of its arguments."""
    fields = {"name": name, "description": description, "parameters_json": dict(schema), "strict": strict}
    return fill(pb.Tool(), {"function": fields})


def _conversation(turns: Iterable[Turn], fields: Fields) -> list[Message]:
    given: Any = fields.get("messages")
    system: Any = fields.get("system")
    first = [message("system", system)] if system else []
    if found := [*first, *messages(turns if given is None else (given, *turns))]:
        return found
    raise ValueError("there is nothing to send: a conversation has at least one message")


def _tools(value: object) -> list[pb.Tool]:
    if isinstance(value, HasTools):
        return list(value.tools)
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise TypeError(f"tools is a registry or a list, not {type(value).__name__}")
    found: list[pb.Tool] = []
    for index, item in enumerate(value):
        if isinstance(item, HasTools):
            found.extend(item.tools)
        elif isinstance(item, pb.Tool):
            found.append(item)
        elif isinstance(item, Mapping):
            found.append(_tool(item, f"tools[{index}]"))
        else:
            raise TypeError(f"tools[{index}] is a tool or a mapping, not {type(item).__name__}")
    return found


def _tool(value: Mapping[str, object], path: str) -> pb.Tool:
    """By the contract's fields, or as other APIs have a function: `{"name": …, "parameters": {…}}`."""
    function = value.get("function", value if "name" in value else None)
    if not isinstance(function, Mapping):
        return fill(pb.Tool(), value, path)
    fields = {name: item for name, item in function.items() if name not in ("type", "parameters")}
    if "parameters" in function:
        fields["parameters_json"] = function["parameters"]
    return fill(pb.Tool(), {"function": fields}, path)


def _tool_choice(value: object) -> object:
    """`auto`, `none`, `required`, a function's name, or the names among which one must be called."""
    if isinstance(value, str):
        return {"mode": _MODES[value]} if value in _MODES else {"function_name": value}
    if isinstance(value, Mapping) or not isinstance(value, Iterable):
        return value
    return {"allowed_tools": {"mode": pb.TOOL_CHOICE_MODE_REQUIRED, "names": value}}


def _response_format(value: object) -> object:
    """`text`, `json_object`, or the contract's fields."""
    return {value: {}} if isinstance(value, str) else value


def _reasoning(value: object) -> object:
    """An effort, or the contract's fields."""
    return {"effort": value} if isinstance(value, str) else value


_SPECIAL: Final[Mapping[str, Callable[[object], object]]] = {
    "tools": _tools,
    "tool_choice": _tool_choice,
    "response_format": _response_format,
    "reasoning": _reasoning,
}
"""Keywords that take more than their field does."""
_OTHERWISE: Final = _SPECIAL.keys() | {"messages"}
