"""What the request bodies of OpenAI's two forms and Mistral's chat have in common."""

from base64 import b64encode
from collections.abc import Callable
from typing import TypeAlias, assert_never

import orjson

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.providers.codec import Job
from tokenwire_server.providers.jsontext import Json, JsonObject, from_struct
from tokenwire_server.providers.state import is_bare, unpack

PartEncoder: TypeAlias = Callable[[Job, pb.ContentPart, str], JsonObject | None]
"""A part, by its path, in a provider's form; None = it is left out, with a warning."""


def texts(message: pb.ChatMessage | pb.ToolResult) -> Json:
    """Text-only content: one string where there is one text, else text parts."""
    parts = message.parts
    if len(parts) > 1:
        return [{"type": "text", "text": part.text} for part in parts]
    return parts[0].text if parts else message.text


def user_content(job: Job, message: pb.ChatMessage, path: str, encode: PartEncoder) -> Json:
    """What a user says: a text, or the parts that can be sent."""
    if not message.parts:
        return message.text
    content = (encode(job, part, f"{path}.parts[{i}]") for i, part in enumerate(message.parts))
    return [part for part in content if part is not None] or ""


def data_url(media: pb.Media) -> str:
    """Bytes as a URL that holds them."""
    return f"data:{media.media_type};base64,{b64encode(media.data).decode('ascii')}"


def may_fetch(job: Job, media: pb.Media, path: str) -> bool:
    """Whether the server may be sent the URL; a `data:` one fetches nothing."""
    if job.dialect.media_urls or not media.url or media.url.startswith("data:"):
        return True
    job.unsupported.part(f"{path}.url", "This provider's settings do not allow media by URL.")
    return False


def leave_foreign_state(job: Job, part: pb.ContentPart, path: str) -> None:
    """Warns of a state that another provider made. The mere id of an item is no loss; a thought, which goes
    with its state, is."""
    matters = part.provider_state if part.HasField("reasoning") else not is_bare(part)
    if matters and unpack(part, job.provider, path) is None:
        job.unsupported.foreign_state(f"{path}.provider_state")


def function(tool: pb.FunctionTool) -> JsonObject:
    """A function that may be called; its schema keeps its text."""
    function: JsonObject = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    match tool.WhichOneof("parameters"):
        case "parameters_json":
            function["parameters"] = orjson.Fragment(tool.parameters_json)
        case "parameters_struct":
            function["parameters"] = from_struct(tool.parameters_struct)
        case None:
            pass
    if tool.HasField("strict"):
        function["strict"] = tool.strict
    return function


def mode(choice: "pb.ToolChoiceMode.ValueType") -> str:
    """`auto`, `none` or `required`."""
    return pb.ToolChoiceMode.Name(choice).removeprefix("TOOL_CHOICE_MODE_").lower()


def response_format(form: pb.ResponseFormat) -> JsonObject:
    """The form of the answer."""
    match form.WhichOneof("format"):
        case "text" | None:
            return {"type": "text"}
        case "json_object":
            return {"type": "json_object"}
        case "json_schema":
            return {"type": "json_schema", "json_schema": json_schema(form.json_schema)}
        case other:
            assert_never(other)


def json_schema(schema: pb.JsonSchemaFormat) -> JsonObject:
    """A named schema, which keeps its text."""
    fields: JsonObject = {"name": schema.name}
    if schema.description:
        fields["description"] = schema.description
    if schema.HasField("schema_json"):
        fields["schema"] = orjson.Fragment(schema.schema_json)
    else:
        fields["schema"] = from_struct(schema.schema_struct)
    if schema.HasField("strict"):
        fields["strict"] = schema.strict
    return fields
