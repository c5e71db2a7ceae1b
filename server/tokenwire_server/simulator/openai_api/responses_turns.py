"""What the items of a Responses request's input have to do with each other."""

import base64
from collections.abc import Sequence
from itertools import zip_longest

from tokenwire_server.simulator import seeds
from tokenwire_server.simulator.conversations import Conversations
from tokenwire_server.simulator.openai_api import checks
from tokenwire_server.simulator.openai_api.errors import ApiError
from tokenwire_server.simulator.values import Json, as_text

_ENCRYPTED = "gAAAAA"  # how all encrypted contents begin
_OURS = f"{_ENCRYPTED}BzaW0"  # and how those begin that the simulator gave out

_PREFIXES = {"message": "msg", "reasoning": "rs", "function_call": "fc", "custom_tool_call": "ctc"}


def earlier(name: str, conversations: Conversations) -> Sequence[Json]:
    """The items of the conversation that a request goes on from; ApiError if it is not stored."""
    if not name.startswith("resp"):
        raise _wrong_id("previous_response_id", name, "resp")
    items = conversations.until(name)
    if items is None:
        text = f"Previous response with id '{name}' not found."
        raise ApiError(text, "previous_response_id", "previous_response_not_found")
    return items


def resolved(items: Sequence[Json], conversations: Conversations) -> list[Json]:
    """The items with what their references stand for; ApiError for an item that is not stored."""
    found: list[Json] = []
    for item in items:
        stored = conversations.item(as_text(item["id"])) if item["type"] == "item_reference" else item
        if stored is None:
            raise _not_found(as_text(item["id"]))
        found.append(stored)
    return found


def check_items(items: Sequence[Json], conversations: Conversations) -> None:
    """Refuses wrong names of items, and reasoning that is broken, unknown or torn from what followed it."""
    for index, item in enumerate(items):
        prefix = _PREFIXES.get(as_text(item["type"]), "")
        name = as_text(item.get("id"))
        if name and not name.startswith(prefix) and item.get("role", "assistant") == "assistant":
            raise _wrong_id(f"input[{index}].id", name, prefix)
        if item["type"] == "reasoning":
            if not name and not item.get("encrypted_content"):
                raise checks.missing(f"input[{index}].id")
            _check_reasoning(name, as_text(item.get("encrypted_content")), conversations)
    for item, following in zip_longest(items, items[1:]):
        if item["type"] == "reasoning" and item.get("id") and not _goes_on(following):
            text = (
                f"Item '{item['id']}' of type 'reasoning' was provided without its required following item."
            )
            raise ApiError(text, "input")


def _check_reasoning(name: str, content: str, conversations: Conversations) -> None:
    if not content:
        if conversations.item(name) is None:
            raise _not_found(name)
        return
    if not content.startswith(_ENCRYPTED):
        raise _unverified(content, "Encrypted content could not be decrypted or parsed.")
    if not content.startswith(_OURS):
        return  # of the real API: nobody here can tell
    owner = _opened(content)
    if owner is None:
        raise _unverified(content, "Encrypted content could not be decrypted or parsed.")
    if name and name != owner:
        raise _unverified(content, "Encrypted content item_id did not match the target item id.")


def _goes_on(following: Json | None) -> bool:
    """Whether an item may stand after reasoning: another one of the same answer."""
    if following is None:
        return False
    if following["type"] == "message":
        return following.get("role") == "assistant" and bool(following.get("id"))
    return following["type"] == "reasoning" or as_text(following["type"]).endswith("_call")


def check_calls(items: Sequence[Json]) -> None:
    """Every output answers a call before it, and every call of the caller's tools is answered."""
    calls: set[str] = set()
    answered: set[str] = set()
    for item in items:
        kind, name = as_text(item["type"]), as_text(item.get("call_id"))
        if not kind.endswith("_output"):
            calls.add(name)
        elif kind in {"function_call_output", "custom_tool_call_output"}:
            if name not in calls:
                raise ApiError(f"No tool call found for {_words(kind)} with call_id {name}.", "input")
            answered.add(name)
    for item in items:
        kind, name = as_text(item["type"]), as_text(item.get("call_id"))
        if kind in {"function_call", "custom_tool_call"} and name not in answered:
            raise ApiError(f"No tool output found for {_words(kind)} {name}.", "input")


def _words(kind: str) -> str:
    return kind.replace("_", " ")


def sealed(name: str) -> str:
    """The encrypted content of the reasoning item with this name."""
    body = f"{name}.{seeds.name(32, 'sealed', name)}"
    return _OURS + base64.urlsafe_b64encode(body.encode()).decode()


def _opened(content: str) -> str | None:
    """The name of the item that an encrypted content is of; None if it was changed."""
    try:
        name = base64.urlsafe_b64decode(content.removeprefix(_OURS)).partition(b".")[0].decode()
    except ValueError:  # no base64, or no text in it
        return None
    return name if sealed(name) == content else None


def _unverified(content: str, reason: str) -> ApiError:
    shown = f"{content[:4]}...{content[-4:]}"
    text = f"The encrypted content {shown} could not be verified. Reason: {reason}"
    return ApiError(text, None, "invalid_encrypted_content")


def _not_found(name: str) -> ApiError:
    return ApiError(
        f"Item with id '{name}' not found. Items are not persisted when `store` is set to false. "
        "Try again with `store` set to true, or remove this item from your input.",
        "input",
        status=404,
    )


def _wrong_id(where: str, name: str, prefix: str) -> ApiError:
    text = f"Invalid '{where}': '{name}'. Expected an ID that begins with '{prefix}'."
    return ApiError(text, where, "invalid_value")
