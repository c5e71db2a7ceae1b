"""provider_state: what a faithful replay of a part needs, opaque to callers.

One version byte, then a JSON object with `provider`, the provider that made it, and some of KEYS. Nothing
else is read from it, and nothing of it is sent upstream unread.
"""

from typing import Final

import orjson

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.errors import invalid

_VERSION: Final = b"\x01"
_PROVIDER: Final = "provider"
_BARE: Final = frozenset({_PROVIDER, "id", "status"})
KEYS: Final = frozenset(
    {"signature", "field", "id", "status", "phase", "encrypted_content", "cuts", "namespace"}
)
"""`signature`: seals a thought. `field`: the name that a thought came by. `id`, `status`, `phase`: of the
item that the part was in. `encrypted_content`: the thought itself, sealed. `cuts`: where the summary's
pieces end. `namespace`: of the function that is called."""


def pack(provider: str, **fields: str) -> bytes:
    """The state of a part that a provider made. An empty field is left out.

    Raises TypeError for what is no text: `unpack` would not take it back.
    """
    given = {key: text for key, text in fields.items() if text}
    if not all(isinstance(text, str) for text in given.values()):
        raise TypeError("not a text")
    return _VERSION + orjson.dumps({_PROVIDER: provider} | given)


def unpack(part: pb.ContentPart, provider: str, path: str) -> dict[str, str] | None:
    """The fields of a part's state; None when there is none or another provider made it.

    Raises INVALID_REQUEST for what this gateway never made.
    """
    if not part.provider_state:
        return None
    fields = _parse(part.provider_state)
    if fields is None or _PROVIDER not in fields:
        raise invalid(f"{path}.provider_state", "It must be sent back as it came.")
    if fields[_PROVIDER] != provider:
        return None
    return {key: fields[key] for key in KEYS & fields.keys()}


def is_bare(part: pb.ContentPart) -> bool:
    """Whether a part's state is nothing but its item's id, without which a lone text is the same."""
    return not part.provider_state or (_parse(part.provider_state) or {_PROVIDER: ""}).keys() <= _BARE


def _parse(state: bytes) -> dict[str, str] | None:
    if not state.startswith(_VERSION):
        return None
    try:
        fields = orjson.loads(state[len(_VERSION) :])
    except orjson.JSONDecodeError:
        return None
    if isinstance(fields, dict) and all(isinstance(text, str) for text in fields.values()):
        return fields
    return None
