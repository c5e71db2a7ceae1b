"""Tokenwire's Python client. The generated stubs are in `tokenwire.v1`.

Names are loaded when they are first used: who needs the stubs alone does not pay for the client.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenwire import errors, events
    from tokenwire.answer import Answer, Embeddings, Health, ModelList, TokenCount, ToolCall
    from tokenwire.channel import Tls
    from tokenwire.client import AsyncClient, Client
    from tokenwire.conversation import Conversation
    from tokenwire.errors import TokenwireError, ToolError
    from tokenwire.messages import Message, message, tool_result
    from tokenwire.schema import Shape
    from tokenwire.stream import AsyncChatStream, ChatStream
    from tokenwire.tools import ToolRegistry

__all__ = [
    "Answer",
    "AsyncChatStream",
    "AsyncClient",
    "ChatStream",
    "Client",
    "Conversation",
    "Embeddings",
    "Health",
    "Message",
    "ModelList",
    "Shape",
    "Tls",
    "TokenCount",
    "TokenwireError",
    "ToolCall",
    "ToolError",
    "ToolRegistry",
    "errors",
    "events",
    "message",
    "tool_result",
]

_MODULES = ("errors", "events")
_HOMES = ("errors", "channel", "messages", "answer", "schema", "stream", "client", "conversation", "tools")

if not TYPE_CHECKING:  # a type checker would take any name for one of them

    def __getattr__(name):  # noqa: ANN001, ANN202 (as the imports above say)
        if name in _MODULES:
            return import_module(f"tokenwire.{name}")
        if name in __all__:
            modules = (import_module(f"tokenwire.{home}") for home in _HOMES)
            return next(getattr(module, name) for module in modules if hasattr(module, name))
        raise AttributeError(f"module 'tokenwire' has no attribute {name!r}")
