"""Mistral's vocabularies and chat encoding, from the files that mistral-common brings along."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from tokenwire_server.providers.jsontext import JsonObject
from tokenwire_server.providers.tokens.vocabulary import NOT_INSTALLED, Unavailable, Vocabulary

if TYPE_CHECKING:
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

_TEKKEN: Final = "mistral-v3-tekken"
_SENTENCEPIECE: Final = {"mistral-v1": "v1", "mistral-v2": "v2", "mistral-v3": "v3", "mistral-v7": "v7"}
"""Names, and what the tokenizer's constructors are called."""

NAMES: Final = frozenset({_TEKKEN, *_SENTENCEPIECE})


def vocabulary(name: str) -> Vocabulary:
    """One of NAMES; takes about a second. Raises Unavailable."""
    try:
        from mistral_common.tokens.tokenizers.mistral import (  # noqa: PLC0415 (optional, large)
            MistralTokenizer,
        )
    except ImportError as error:
        raise Unavailable(NOT_INSTALLED) from error
    if name == _TEKKEN:
        return _vocabulary(MistralTokenizer.v3(is_tekken=True, is_mm=True), in_pieces=True)
    try:
        return _vocabulary(getattr(MistralTokenizer, _SENTENCEPIECE[name])(), in_pieces=False)
    except ImportError as error:
        text = "The server lacks its tokenizer: the package `sentencepiece` is not installed."
        raise Unavailable(text) from error


def _vocabulary(tokenizer: "MistralTokenizer[Any, Any, Any, Any, Any]", *, in_pieces: bool) -> Vocabulary:
    plain = tokenizer.instruct_tokenizer.tokenizer
    return Vocabulary(
        lambda text: len(plain.encode(text, bos=False, eos=False)),
        in_pieces,
        lambda body: _chat(tokenizer, body),
    )


def _chat(tokenizer: "MistralTokenizer[Any, Any, Any, Any, Any]", body: JsonObject) -> int | None:
    from mistral_common.protocol.instruct.request import ChatCompletionRequest  # noqa: PLC0415 (optional)

    plain = orjson.loads(orjson.dumps(body))
    messages, tools = plain.get("messages", []), plain.get("tools")
    if not all(map(_only_texts, messages)):
        return None
    try:
        request: ChatCompletionRequest[Any] = ChatCompletionRequest.from_openai(messages, tools)
        return len(tokenizer.encode_chat_completion(request).tokens)
    except Exception:  # noqa: BLE001 (it refuses in many ways what the provider may well take)
        return None


def _only_texts(message: Mapping[str, Any]) -> bool:
    """Whether there is nothing else in it: mistral-common would fetch an image from its URL."""
    content = message.get("content")
    return not isinstance(content, list) or all(chunk.get("type") == "text" for chunk in content)
