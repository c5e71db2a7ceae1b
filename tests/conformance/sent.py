"""What a provider received, in the form of Chat Completions whatever form it came in.

The suite asks every provider the same, and compares what was sent in one form; the exact forms are the
mapping's and the oracle's to check.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

Body = dict[str, Any]


def as_chat(body: Body) -> Body:
    """A body of the Responses API as the one of Chat Completions that says the same; others as they are."""
    if "input" not in body:
        return body
    said = {key: value for key, value in body.items() if key not in _MOVED}
    said["messages"] = _messages(body)
    text = body.get("text", {})
    if "verbosity" in text:
        said["verbosity"] = text["verbosity"]
    if "format" in text:
        said["response_format"] = _format(text["format"])
    if "effort" in body.get("reasoning", {}):
        said["reasoning_effort"] = body["reasoning"]["effort"]
    return said


_MOVED: Final = frozenset({"input", "instructions", "text", "reasoning"})


def _format(form: Body) -> Body:
    schema = {key: value for key, value in form.items() if key != "type"}
    return {"type": form["type"], **({"json_schema": schema} if schema else {})}


def _messages(body: Body) -> list[Body]:
    """Items of one turn are one message of the assistant."""
    found: list[Body] = []
    if "instructions" in body:
        found.append({"role": "instructions", "content": body["instructions"]})
    for item in body["input"]:
        kind = item.get("type", "message")
        if kind == "function_call_output":
            found.append({"role": "tool", "tool_call_id": item["call_id"], "content": item["output"]})
        elif item.get("role", "assistant") != "assistant":
            found.append(item)
        else:
            if not found or found[-1]["role"] != "assistant":
                found.append({"role": "assistant", "content": None})
            _TELL[kind](found[-1], item)
    return found


def _speak(message: Body, item: Body) -> None:
    content = item["content"]
    if isinstance(content, str):
        message["content"] = content
        return
    for part in content:
        name = "refusal" if part["type"] == "refusal" else "content"
        message[name] = (message.get(name) or "") + part.get("text", part.get("refusal"))


def _think(message: Body, item: Body) -> None:
    message["reasoning"] = "".join(part["text"] for part in item.get("content", ()))


def _call(message: Body, item: Body) -> None:
    function = {"name": item["name"], "arguments": item["arguments"]}
    call = {"id": item["call_id"], "type": "function", "function": function}
    message.setdefault("tool_calls", []).append(call)


_TELL: Final[Mapping[str, Callable[[Body, Body], None]]] = {
    "message": _speak,
    "reasoning": _think,
    "function_call": _call,
}
