"""The field mapping table: everything but messages."""

from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct
from unit.providers.mapping import (
    DROP,
    OTHER,
    OWN,
    Row,
    hi,
    lacks,
    row,
    sampling,
    sent,
)

from tokenwire.v1 import chat_pb2 as pb

__all__ = ["OPTIONS"]

SCHEMA: Mapping[str, Any] = {"type": "object", "maxProperties": 3}
SCHEMA_TEXT = '{"type": "object", "maxProperties": 3}'


def struct(fields: Mapping[str, Any]) -> Struct:
    return json_format.ParseDict({**fields}, Struct())


def config(**fields: Any) -> pb.ChatRequest:
    return hi(config=pb.GenerationConfig(**fields))


CONFIG = [
    row("ChatRequest.model", hi(), sent()),
    row("ChatRequest.model", hi(model="other"), sent(model="other"), what="another"),
    row("ChatRequest.config", hi(config=pb.GenerationConfig()), sent()),
    row(
        "GenerationConfig.max_output_tokens",
        config(max_output_tokens=5),
        sent(max_completion_tokens=5),
        sent(max_tokens=5),
        sent(max_tokens=5),
    ),
    row("GenerationConfig.temperature", config(temperature=0), sent(temperature=0.0)),
    row(
        "GenerationConfig.temperature",
        hi(model="o3-mini", config={"temperature": 0.5}),
        sampling("config.temperature", model="o3-mini"),
        sent(model="o3-mini", temperature=0.5),
        sent(model="o3-mini", temperature=0.5),
        what="of a model that reasons",
    ),
    row(
        "GenerationConfig.temperature",
        hi(model="o3-mini", config={"temperature": 1}),
        sent(model="o3-mini", temperature=1.0),
        what="which it has in any case",
    ),
    row("GenerationConfig.top_p", config(top_p=0.5), sent(top_p=0.5)),
    row(
        "GenerationConfig.top_p",
        hi(model="o3-mini", config={"top_p": 0.5}),
        sampling("config.top_p", model="o3-mini"),
        sent(model="o3-mini", top_p=0.5),
        sent(model="o3-mini", top_p=0.5),
        what="of a model that reasons",
    ),
    row("GenerationConfig.stop", config(stop=["a", "b"]), sent(stop=["a", "b"])),
    row("GenerationConfig.seed", config(seed=0), sent(seed=0), sent(random_seed=0)),
    row("GenerationConfig.top_k", config(top_k=3), lacks("config.top_k"), sent(top_k=3), sent(top_k=3)),
    row("GenerationConfig.frequency_penalty", config(frequency_penalty=-1), sent(frequency_penalty=-1.0)),
    row("GenerationConfig.presence_penalty", config(presence_penalty=0), sent(presence_penalty=0.0)),
    row("GenerationConfig.candidate_count", config(candidate_count=2), sent(n=2)),
    row("GenerationConfig.logprobs", config(logprobs=True), sent(logprobs=True)),
    row("GenerationConfig.logprobs", config(logprobs=False), sent(logprobs=False), what="off"),
    row(
        "GenerationConfig.top_logprobs",
        config(logprobs=True, top_logprobs=0),
        sent(logprobs=True, top_logprobs=0),
    ),
    row(
        "GenerationConfig.verbosity",
        config(verbosity="low"),
        sent(verbosity="low"),
        lacks("config.verbosity"),
    ),
    row(
        "GenerationConfig.logit_bias",
        config(logit_bias={5: 1, 70: -0.5}),
        sent(logit_bias={"5": 1, "70": -0.5}),
        lacks("config.logit_bias"),
    ),
]


def function(**fields: Any) -> pb.Tool:
    return pb.Tool(function=pb.FunctionTool(name="f", **fields))


def tool(**fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", **fields}}


def tools(field: str, offered: pb.Tool, *, what: str = "", **fields: Any) -> Row:
    """A tool, where Mistral wants parameters in any case."""
    return row(
        field,
        hi(tools=[offered]),
        sent(tools=[tool(**fields)]),
        sent(tools=[tool(**{"parameters": {}, **fields})]),
        what=what,
    )


def provided(provider: str) -> pb.Tool:
    definition = struct({"type": "web_search", "limit": 2})
    return pb.Tool(provider_tool=pb.ProviderTool(provider=provider, definition=definition))


PROVIDED = {"type": "web_search", "limit": 2}
NOT_OURS = lacks("tools[0].provider_tool")

TOOLS = [
    tools("ChatRequest.tools", function()),
    tools("Tool.function", function()),
    tools("FunctionTool.name", function()),
    tools("FunctionTool.description", function(description="Does."), description="Does."),
    tools("FunctionTool.parameters_json", function(parameters_json=SCHEMA_TEXT), parameters=SCHEMA),
    tools("FunctionTool.parameters_struct", function(parameters_struct=struct(SCHEMA)), parameters=SCHEMA),
    tools("FunctionTool.strict", function(strict=True), strict=True),
    tools("FunctionTool.strict", function(strict=False), what="off", strict=False),
    row("Tool.provider_tool", hi(tools=[provided(OWN)]), sent(tools=[PROVIDED])),
    row("ProviderTool.definition", hi(tools=[provided(OWN)]), sent(tools=[PROVIDED])),
    row("ProviderTool.provider", hi(tools=[provided(OTHER)]), NOT_OURS, what="another"),
    row(
        "ProviderTool.provider",
        hi(tools=[provided(OTHER)], tool_choice=pb.ToolChoice(mode=pb.TOOL_CHOICE_MODE_REQUIRED)),
        NOT_OURS,
        what="another, required",
    ),
]

TWO = [pb.Tool(function=pb.FunctionTool(name=name)) for name in ("f", "g")]
F, G = ({"type": "function", "function": {"name": name}} for name in ("f", "g"))
MISTRAL_F, MISTRAL_G = (
    {"type": "function", "function": {"name": name, "parameters": {}}} for name in ("f", "g")
)


def choice(field: str, said: object, *, what: str = "", **fields: Any) -> Row:
    return row(
        field,
        hi(tools=TWO, tool_choice=pb.ToolChoice(**fields)),
        sent(tools=[F, G], tool_choice=said),
        sent(tools=[MISTRAL_F, MISTRAL_G], tool_choice=said),
        what=what,
    )


def allowed(field: str, mode: "pb.ToolChoiceMode.ValueType", word: str) -> Row:
    """Mistral has no such choice: it is offered the allowed ones alone."""
    only = pb.AllowedTools(mode=mode, names=["g"])
    return row(
        field,
        hi(tools=[*TWO, provided(OWN)], tool_choice=pb.ToolChoice(allowed_tools=only)),
        sent(
            tools=[F, G, PROVIDED],
            tool_choice={"type": "allowed_tools", "allowed_tools": {"mode": word, "tools": [G]}},
        ),
        sent(tools=[MISTRAL_G], tool_choice=word),
        what=word,
    )


CHOICES = [
    choice("ChatRequest.tool_choice", "auto", mode=pb.TOOL_CHOICE_MODE_AUTO),
    choice("ToolChoice.mode", "none", what="none", mode=pb.TOOL_CHOICE_MODE_NONE),
    choice("ToolChoice.mode", "required", what="required", mode=pb.TOOL_CHOICE_MODE_REQUIRED),
    choice("ToolChoice.function_name", G, function_name="g"),
    allowed("ToolChoice.allowed_tools", pb.TOOL_CHOICE_MODE_AUTO, "auto"),
    allowed("AllowedTools.mode", pb.TOOL_CHOICE_MODE_REQUIRED, "required"),
    allowed("AllowedTools.names", pb.TOOL_CHOICE_MODE_AUTO, "auto"),
]


def answering(field: str, said: object, **fields: Any) -> Row:
    return row(field, hi(response_format=pb.ResponseFormat(**fields)), sent(response_format=said))


def schema(field: str, given: Mapping[str, Any], **fields: Any) -> Row:
    """A json_schema; `given` is what the caller says besides its name."""
    said = {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA, **fields}}
    source = given if "schema_struct" in given else {"schema_json": SCHEMA_TEXT, **given}
    return answering(field, said, json_schema=pb.JsonSchemaFormat(name="s", **source))


FORMATS = [
    answering("ChatRequest.response_format", {"type": "text"}, text=pb.PlainTextFormat()),
    answering("ResponseFormat.text", {"type": "text"}, text=pb.PlainTextFormat()),
    answering("ResponseFormat.json_object", {"type": "json_object"}, json_object=pb.JsonObjectFormat()),
    schema("ResponseFormat.json_schema", {}),
    schema("JsonSchemaFormat.name", {}),
    schema("JsonSchemaFormat.description", {"description": "A."}, description="A."),
    schema("JsonSchemaFormat.schema_json", {}),
    schema("JsonSchemaFormat.schema_struct", {"schema_struct": struct(SCHEMA)}),
    schema("JsonSchemaFormat.strict", {"strict": False}, strict=False),
]


def optional(provider: str, **fields: Any) -> pb.ChatRequest:
    return hi(provider_options=struct({provider: fields}))


REST = [
    row("ChatRequest.reasoning", hi(reasoning=pb.ReasoningConfig()), sent()),
    row("ReasoningConfig.effort", hi(reasoning={"effort": "low"}), sent(reasoning_effort="low")),
    row(
        "ReasoningConfig.effort",
        hi(model="gpt-4o", reasoning={"effort": "low"}),
        lacks("reasoning.effort", model="gpt-4o"),
        sent(model="gpt-4o", reasoning_effort="low"),
        sent(model="gpt-4o", reasoning_effort="low"),
        what="of a model without",
    ),
    row("ReasoningConfig.summary", hi(reasoning={"summary": "auto"}), lacks("reasoning.summary")),
    row("ReasoningConfig.summary", hi(reasoning={"summary": "none"}), sent(), what="none"),
    row(
        "ChatRequest.previous_response_id",
        hi(previous_response_id="resp_1"),
        lacks("previous_response_id"),
    ),
    row("ChatRequest.parallel_tool_calls", hi(parallel_tool_calls=False), sent(parallel_tool_calls=False)),
    row("ChatRequest.unsupported_parameters", hi(unsupported_parameters=DROP), sent()),
    row("ChatRequest.stream_options", hi(stream_options=pb.StreamOptions()), sent()),
    row("StreamOptions.deltas_only", hi(stream_options={"deltas_only": True}), sent()),
    row("StreamOptions.flush_interval", hi(stream_options={"flush_interval": Duration(nanos=9)}), sent()),
    row(
        "StreamOptions.heartbeat_interval",
        hi(stream_options={"heartbeat_interval": Duration(seconds=9)}),
        sent(),
    ),
    row("ChatRequest.provider_options", optional(OWN, a=1, b={"c": [0.5]}), sent(a=1, b={"c": [0.5]})),
    row("ChatRequest.provider_options", optional(OTHER, a=1), sent(), what="of another"),
    row("ChatRequest.provider_options", optional(OWN, temperature=1), sent(temperature=1), what="known here"),
    row("ChatRequest.fallback_models", hi(fallback_models=["other"]), sent()),
    row("ChatRequest.store", hi(store=True), sent(store=True), lacks("store")),
    row("ChatRequest.store", hi(store=False), sent(store=False), sent(), what="off"),
    row(
        "ChatRequest.end_user_id",
        hi(end_user_id="u-1"),
        sent(safety_identifier="u-1"),
        sent(user="u-1"),
        sent(metadata={"end_user_id": "u-1"}),
    ),
    row("ChatRequest.prompt_cache_key", hi(prompt_cache_key="k"), sent(prompt_cache_key="k")),
    row("ChatRequest.service_tier", hi(service_tier="auto"), sent(service_tier="auto")),
    row("ChatRequest.metadata", hi(metadata={"a": "b"}), sent(metadata={"a": "b"})),
]

OPTIONS: list[Row] = [*CONFIG, *TOOLS, *CHOICES, *FORMATS, *REST]
