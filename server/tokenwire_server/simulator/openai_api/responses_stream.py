"""Responses as the events of a stream."""

from dataclasses import replace

import orjson

from tokenwire_server.simulator.openai_api.chat_reply import padding
from tokenwire_server.simulator.openai_api.responses_reply import Output, ResponsesReply
from tokenwire_server.simulator.reply import Event, Kind
from tokenwire_server.simulator.values import Json, as_list, as_object, as_text


def events(reply: ResponsesReply) -> list[Event]:
    """The response as a stream; a failed one breaks off in its last item."""
    stream = _Stream(reply)
    stream.add("start", "response.created", response=reply.begun())
    stream.add("start", "response.in_progress", response=reply.begun())
    for index, output in enumerate(reply.outputs):
        stream.tell(index, output)
    if reply.status == "failed":
        stream.take_back()
    stream.end()
    return stream.events


def as_error(error: Event, before: int) -> Event:
    """An error that a script puts after so many events, as it is sent here.

    An error body is nested in the event, as it really comes; an object with a type is an event by itself:
    the documented flat form of an error, or any other.
    """
    body: Json = orjson.loads(error.data)
    if "type" not in body:
        body = {"type": "error", **body}
    return Event("token", orjson.dumps({"sequence_number": before, **body}), as_text(body["type"]))


class _Stream:
    """The events so far, each with its number."""

    def __init__(self, reply: ResponsesReply) -> None:
        self.events: list[Event] = []
        self._reply = reply
        options = as_object(reply.completion.body.get("stream_options"))
        self._padded = options.get("include_obfuscation") is not False and not reply.open_weights

    def add(self, kind: Kind, name: str, **fields: object) -> None:
        body = {"type": name, **fields, "sequence_number": len(self.events)}
        self.events.append(Event(kind, orjson.dumps(body), name))

    def tell(self, index: int, output: Output) -> None:
        """All events of one item."""
        item, place = output.item, {"item_id": output.item["id"], "output_index": index}
        self.add("frame", "response.output_item.added", output_index=index, item=_beginning(item))
        match item["type"]:
            case "reasoning" if self._reply.open_weights:
                self._reasoning(output, place)
            case "reasoning":
                self._summary(output, place)
            case "message":
                self._message(output, place)
            case "web_search_call":
                for state in ("in_progress", "searching", "completed"):
                    self.add("frame", f"response.web_search_call.{state}", **place)
            case "custom_tool_call":
                self._call("response.custom_tool_call_input", "input", output, place)
            case _:
                self._call("response.function_call_arguments", "arguments", output, place)
        self.add("frame", "response.output_item.done", output_index=index, item=item)

    def take_back(self) -> None:
        """Drop what closes the last item, after the last of its tokens."""
        while self.events[-1].kind == "frame":
            self.events.pop()

    def end(self) -> None:
        """The last event, which has the whole response in it."""
        response = self._reply.whole()
        self.add("finish", f"response.{self._reply.status}", response=response)
        bare = {**orjson.loads(self.events[-1].data), "response": {**response, "usage": None}}
        self.events[-1] = replace(self.events[-1], without_usage=orjson.dumps(bare))

    def _delta(self, name: str, token: str, place: Json) -> None:
        fields: Json = {**place, "delta": token}
        if self._padded:
            fields["obfuscation"] = padding(f"{len(self.events)} {token}".encode())
        self.add("token", name, **fields)

    def _summary(self, output: Output, place: Json) -> None:
        for index, (tokens, part) in enumerate(
            zip(output.parts, as_list(output.item["summary"]), strict=True)
        ):
            where = {**place, "summary_index": index}
            empty = {"type": "summary_text", "text": ""}
            self.add("frame", "response.reasoning_summary_part.added", **where, part=empty)
            for token in tokens:
                self._delta("response.reasoning_summary_text.delta", token, where)
            self.add("frame", "response.reasoning_summary_text.done", **where, text="".join(tokens))
            self.add("frame", "response.reasoning_summary_part.done", **where, part=part)

    def _reasoning(self, output: Output, place: Json) -> None:
        (tokens,) = output.parts
        (part,) = as_list(output.item["content"])
        where = {**place, "content_index": 0}
        empty = {"type": "reasoning_text", "text": ""}
        self.add("frame", "response.content_part.added", **where, part=empty)
        for token in tokens:
            self._delta("response.reasoning_text.delta", token, where)
        self.add("frame", "response.reasoning_text.done", **where, text="".join(tokens))
        self.add("frame", "response.content_part.done", **where, part=part)

    def _message(self, output: Output, place: Json) -> None:
        (part,) = map(as_object, as_list(output.item["content"]))
        where = {**place, "content_index": 0}
        if part["type"] == "refusal":
            self._refusal(output, part, where)
            return
        empty = {**part, "text": "", "annotations": [], "logprobs": []}
        self.add("frame", "response.content_part.added", **where, part=empty)
        for token in output.parts[0]:
            scored = self._reply.scored((token,))
            self._delta("response.output_text.delta", token, {**where, "logprobs": scored})
        for index, cited in enumerate(as_list(part["annotations"])):
            which = {**where, "annotation_index": index}
            self.add("frame", "response.output_text.annotation.added", **which, annotation=cited)
        done = {"text": part["text"], "logprobs": part["logprobs"]}
        self.add("frame", "response.output_text.done", **where, **done)
        self.add("frame", "response.content_part.done", **where, part=part)

    def _refusal(self, output: Output, part: Json, where: Json) -> None:
        self.add("frame", "response.content_part.added", **where, part={**part, "refusal": ""})
        for token in output.parts[0]:
            self._delta("response.refusal.delta", token, where)
        self.add("frame", "response.refusal.done", **where, refusal=part["refusal"])
        self.add("frame", "response.content_part.done", **where, part=part)

    def _call(self, name: str, field: str, output: Output, place: Json) -> None:
        for token in output.parts[0]:
            self._delta(f"{name}.delta", token, place)
        self.add("frame", f"{name}.done", **place, **{field: output.item[field]})


def _beginning(item: Json) -> Json:
    """An item before there is anything in it; its encrypted content is not yet the one to send back."""
    empty: Json = {"status": "in_progress", "content": [], "summary": [], "arguments": "", "input": ""}
    begun = {name: empty.get(name, value) for name, value in item.items()}
    if "encrypted_content" in item:
        begun["encrypted_content"] = as_text(item["encrypted_content"])[:20]
    return begun
