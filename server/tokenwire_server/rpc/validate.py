"""Checks ChatRequest against the contract. Behind it no layer checks again, before it none runs."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

import orjson
from google.protobuf.struct_pb2 import Struct

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.rpc.check import Check
from tokenwire_server.settings import Server
from tokenwire_server.unsupported import Unsupported

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MEDIA_TYPE: Final = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)
_URL: Final = ("https://", "http://", "data:")
_MAX_ID: Final = 256
_MAX_STATE: Final = 256 * 1024
_MAX_FLUSH: Final = 1_000_000_000
"""Nanoseconds; no longer than the shortest heartbeat interval."""

_RANGES: Final = {
    "max_output_tokens": (1, None),
    "temperature": (0, 2),
    "top_p": (0, 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
    "candidate_count": (1, 16),
    "top_k": (1, None),
    "top_logprobs": (0, 20),
}

_KINDS: Final = {
    pb.ROLE_SYSTEM: frozenset({"text"}),
    pb.ROLE_DEVELOPER: frozenset({"text"}),
    pb.ROLE_USER: frozenset({"text", "image", "file"}),
    pb.ROLE_ASSISTANT: frozenset({"text", "refusal", "reasoning", "tool_call", "provider_item"}),
    pb.ROLE_TOOL: frozenset({"tool_result"}),
}

_PLAIN: Final = _KINDS.keys() - {pb.ROLE_TOOL}


def validate(request: pb.ChatRequest, limits: Server, unsupported: Unsupported) -> None:
    """Raises INVALID_REQUEST with the paths of what is wrong, at most ten of them, or
    UNSUPPORTED_PARAMETER for fields of a newer contract."""
    check = _ChatCheck(limits)
    check.request(request)
    check.conclude(request, unsupported)


class _ChatCheck(Check):
    """Of one ChatRequest."""

    def __init__(self, limits: Server) -> None:
        super().__init__(limits)
        self._called: set[str] = set()
        """Ids of the tool calls so far."""
        self._continued = False
        """Whether there is more of the conversation, with calls in it, at the provider."""

    def request(self, request: pb.ChatRequest) -> None:
        self.models(request.model, request.fallback_models)
        if not request.messages:
            self.refuse("messages", "There must be at least one message.")
        self.at_most("messages", request.messages, self.limits.max_messages)
        self.at_most("tools", request.tools, self.limits.max_tools)
        self.at_most("metadata", request.metadata, self.limits.max_metadata_pairs)
        if self.violations:
            return
        self._previous(request.previous_response_id)
        for index, message in enumerate(request.messages):
            if message.role not in _PLAIN or message.parts:  # there is nothing wrong with a text alone
                self._message(message, f"messages[{index}]")
        if request.HasField("config"):
            self._config(request.config)
        if request.tools or request.HasField("tool_choice"):
            self._tools(request)
        if request.HasField("response_format"):
            self._response_format(request.response_format)
        if request.HasField("provider_options"):
            self.provider_options(request.provider_options)
        if request.HasField("stream_options"):
            self._stream_options(request.stream_options)

    def _previous(self, response_id: str) -> None:
        self._continued = bool(response_id)
        if len(response_id) > _MAX_ID or not response_id.isprintable():
            self.refuse("previous_response_id", f"An id is at most {_MAX_ID} printable characters.")

    # Messages

    def _message(self, message: pb.ChatMessage, path: str) -> None:
        kinds = _KINDS.get(message.role)
        if kinds is None:
            self.refuse(f"{path}.role", "The role must be one of the enum's, and given.")
            return
        self.at_most(f"{path}.parts", message.parts, self.limits.max_parts)
        if message.role == pb.ROLE_TOOL and not message.parts:
            self.refuse(f"{path}.parts", "A tool message holds tool results.")
        for index, part in enumerate(message.parts):
            self._part(part, f"{path}.parts[{index}]", kinds)
        self._agreeing(message.text, message.parts, path)
        self._ids(message.parts, path)

    def _agreeing(self, text: str, parts: Iterable[pb.ContentPart], path: str) -> None:
        """`text` and `parts` say the same when both are given."""
        if text and (texts := [*parts]) and text != "".join(part.text for part in texts):
            self.refuse(f"{path}.text", "When parts are given, text must be their texts joined.")

    def _ids(self, parts: Iterable[pb.ContentPart], path: str) -> None:
        """Ids of calls are unique in a message, and a result answers an earlier call, once."""
        seen: set[str] = set()
        for index, part in enumerate(parts):
            match part.WhichOneof("content"):
                case "tool_call":
                    name, call = f"{path}.parts[{index}].tool_call.id", part.tool_call.id
                    if not call:
                        self.refuse(name, "A tool call has an id.")
                case "tool_result":
                    name = f"{path}.parts[{index}].tool_result.tool_call_id"
                    call = part.tool_result.tool_call_id
                    if call not in self._called and not self._continued:
                        self.refuse(name, "No earlier tool call has this id.")
                case _:
                    continue
            if call in seen:
                self.refuse(name, "The id occurs twice in the message.")
            seen.add(call)
        self._called |= seen

    def _part(self, part: pb.ContentPart, path: str, kinds: frozenset[str]) -> None:
        kind = part.WhichOneof("content")
        if kind is None:
            self.refuse(path, "Exactly one kind of content must be set.")
        elif kind not in kinds:
            self.refuse(f"{path}.{kind}", "The message's role does not have this kind of content.")
        match kind:
            case "image":
                self._media(part.image, f"{path}.image")
            case "file":
                self._media(part.file, f"{path}.file")
            case "tool_call":
                self._function_name(part.tool_call.name, f"{path}.tool_call.name")
                self._json_object(part.tool_call.arguments_json, f"{path}.tool_call.arguments_json")
            case "tool_result":
                self._tool_result(part.tool_result, f"{path}.tool_result")
            case "provider_item":
                self._provider_item(part.provider_item, f"{path}.provider_item")
            case "text" | "refusal" | "reasoning" | None:
                pass
        if len(part.provider_state) > _MAX_STATE:
            self.refuse(f"{path}.provider_state", f"It has at most {_MAX_STATE} bytes.")

    def _media(self, media: pb.Media, path: str) -> None:
        match media.WhichOneof("source"):
            case "url":
                if not media.url.startswith(_URL):
                    self.refuse(f"{path}.url", "A URL starts with https://, http:// or data:.")
            case "data":
                if not _MEDIA_TYPE.fullmatch(media.media_type):
                    self.refuse(f"{path}.media_type", "Data needs a media type such as image/png.")
            case "file_id":
                if not media.file_id:
                    self.refuse(f"{path}.file_id", "The id is empty.")
            case None:
                self.refuse(path, "Exactly one of url, data and file_id must be set.")

    def _tool_result(self, result: pb.ToolResult, path: str) -> None:
        for index, part in enumerate(result.parts):
            if part.WhichOneof("content") != "text":
                self.refuse(f"{path}.parts[{index}]", "A tool result holds texts.")
        self._agreeing(result.text, result.parts, path)

    def _provider_item(self, item: pb.ProviderItem, path: str) -> None:
        if not item.provider:
            self.refuse(f"{path}.provider", "An item names the provider that made it.")
        if parsed := self._json_object(item.item_json, f"{path}.item_json", empty=False):
            self._called |= {str(parsed[key]) for key in ("id", "call_id") if key in parsed}

    # Configuration

    def _config(self, config: pb.GenerationConfig) -> None:
        for field, value in config.ListFields():
            match field.name:
                case "stop":
                    self._stop(value)
                case "logit_bias":
                    for token, bias in value.items():
                        self._range(f"config.logit_bias.{token}", bias, -100, 100)
                case name if name in _RANGES:
                    self._range(f"config.{name}", value, *_RANGES[name])
        if config.HasField("top_logprobs") and not config.logprobs:
            self.refuse("config.top_logprobs", "It needs logprobs to be true.")

    def _range(self, path: str, value: float, low: float, high: float | None) -> None:
        if value < low or (high is not None and value > high):
            bounds = f"at least {low}" if high is None else f"between {low} and {high}"
            self.refuse(path, f"The value must be {bounds}.")

    def _stop(self, texts: Sequence[str]) -> None:
        self.at_most("config.stop", texts, 16)
        for index, text in enumerate(texts):
            if not text:
                self.refuse(f"config.stop[{index}]", "A stop text is not empty.")

    # Tools and formats

    def _tools(self, request: pb.ChatRequest) -> None:
        names: set[str] = set()
        for index, tool in enumerate(request.tools):
            path = f"tools[{index}]"
            match tool.WhichOneof("tool"):
                case "function":
                    self._function(tool.function, f"{path}.function")
                    if tool.function.name in names:
                        self.refuse(f"{path}.function.name", "Two functions have this name.")
                    names.add(tool.function.name)
                case "provider_tool":
                    if not tool.provider_tool.provider:
                        self.refuse(f"{path}.provider_tool.provider", "The provider must be named.")
                case None:
                    self.refuse(path, "Exactly one of function and provider_tool must be set.")
        if request.HasField("tool_choice"):
            self._tool_choice(request.tool_choice, names, any_tool=bool(request.tools))

    def _function(self, function: pb.FunctionTool, path: str) -> None:
        self._function_name(function.name, f"{path}.name")
        if function.HasField("parameters_json"):
            self._json_object(function.parameters_json, f"{path}.parameters_json", empty=False)
        elif function.HasField("parameters_struct"):
            self._struct(function.parameters_struct, f"{path}.parameters_struct")

    def _function_name(self, name: str, path: str) -> None:
        if not _NAME.fullmatch(name):
            self.refuse(path, "A name is 1 to 64 letters, digits, underscores and dashes.")

    def _tool_choice(self, choice: pb.ToolChoice, names: set[str], *, any_tool: bool) -> None:
        match choice.WhichOneof("choice"):
            case "mode":
                if choice.mode == pb.TOOL_CHOICE_MODE_UNSPECIFIED:
                    self.refuse("tool_choice.mode", "The mode must be given.")
                elif choice.mode != pb.TOOL_CHOICE_MODE_NONE and not any_tool:
                    self.refuse("tool_choice.mode", "It needs tools.")
            case "function_name":
                if choice.function_name not in names:
                    self.refuse("tool_choice.function_name", "No function in tools has this name.")
            case "allowed_tools":
                self._allowed(choice.allowed_tools, names)
            case None:
                self.refuse("tool_choice", "Exactly one kind of choice must be set.")

    def _allowed(self, allowed: pb.AllowedTools, names: set[str]) -> None:
        path = "tool_choice.allowed_tools"
        if allowed.mode not in (pb.TOOL_CHOICE_MODE_AUTO, pb.TOOL_CHOICE_MODE_REQUIRED):
            self.refuse(f"{path}.mode", "The mode must be AUTO or REQUIRED.")
        if not allowed.names:
            self.refuse(f"{path}.names", "At least one function must be allowed.")
        for index, name in enumerate(allowed.names):
            if name not in names:
                self.refuse(f"{path}.names[{index}]", "No function in tools has this name.")

    def _response_format(self, response_format: pb.ResponseFormat) -> None:
        match response_format.WhichOneof("format"):
            case None:
                self.refuse("response_format", "Exactly one format must be set.")
            case "json_schema":
                self._json_schema(response_format.json_schema, "response_format.json_schema")
            case "text" | "json_object":
                pass

    def _json_schema(self, schema: pb.JsonSchemaFormat, path: str) -> None:
        if not _NAME.fullmatch(schema.name):
            self.refuse(f"{path}.name", "A name is 1 to 64 letters, digits, underscores and dashes.")
        match schema.WhichOneof("schema"):
            case "schema_json":
                self._json_object(schema.schema_json, f"{path}.schema_json", empty=False)
            case "schema_struct":
                self._struct(schema.schema_struct, f"{path}.schema_struct")
            case None:
                self.refuse(path, "Exactly one of schema_json and schema_struct must be set.")

    def _json_object(self, text: str, path: str, *, empty: bool = True) -> dict[str, object] | None:
        """The object that the text holds. An empty text stands for no arguments, where that is allowed."""
        if empty and not text:
            return None
        try:
            parsed = orjson.loads(text)
        except orjson.JSONDecodeError:
            parsed = None
        if isinstance(parsed, dict):
            return parsed
        self.refuse(path, "The text must be a JSON object.")
        return None

    def _struct(self, struct: Struct, path: str) -> None:
        if not struct.fields:
            self.refuse(path, "The schema is empty.")

    # Options

    def _stream_options(self, options: pb.StreamOptions) -> None:
        if options.HasField("heartbeat_interval") and options.heartbeat_interval.seconds < 1:
            self.refuse("stream_options.heartbeat_interval", "It is at least one second.")
        if not 0 <= options.flush_interval.ToNanoseconds() <= _MAX_FLUSH:
            self.refuse("stream_options.flush_interval", "It is at most one second.")
