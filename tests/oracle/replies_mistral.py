"""Replies of Mistral, read by its own SDK."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from mistralai.client import Mistral
from oracle.capture import gateway
from oracle.cases_messages import SDK_ASK
from oracle.replies import ChoiceView, Readers, View, replying


@asynccontextmanager
async def reading_mistral() -> AsyncIterator[Readers]:
    """Readers with Mistral's SDK, connected."""
    readers = Readers()
    async with (
        replying(readers) as address,
        gateway(address, kind="mistral") as readers.backend,
        Mistral(api_key="sk-test", server_url=address) as sdk,
    ):

        async def ask(stream: bool) -> View:  # noqa: FBT001 (a parameter of the test)
            arguments: dict[str, Any] = {"model": "mistral-large-latest", "messages": [SDK_ASK]}
            if not stream:
                whole = await sdk.chat.complete_async(**arguments)
                return _view(whole, {choice.index: _unary(choice) for choice in whole.choices})
            async with await sdk.chat.stream_async(**arguments) as events:
                chunks = [event.data async for event in events]
            return _streamed(chunks)

        readers.ask_sdk = ask
        yield readers


@dataclass
class _Said:
    """What one choice has said so far. The SDK puts no stream together, so that this must."""

    text: str = ""
    reasoning: str = ""
    calls: list[Any] = field(default_factory=list)
    finish: str = ""

    def add(self, message: Any) -> None:
        content = message.content or ""  # Unset is falsy too
        for chunk in [content] if isinstance(content, str) else content:
            if isinstance(chunk, str):
                self.text += chunk
            elif chunk.type == "thinking":
                self.reasoning += "".join(piece.text for piece in chunk.thinking)
            else:
                self.text += chunk.text
        self.calls += message.tool_calls or []


def _unary(choice: Any) -> _Said:
    said = _Said(finish=choice.finish_reason)
    said.add(choice.message)
    return said


def _streamed(chunks: Iterable[Any]) -> View:
    said: defaultdict[int, _Said] = defaultdict(_Said)
    *_, last = whole = list(chunks)
    for chunk in whole:
        for choice in chunk.choices:
            said[choice.index].add(choice.delta)
            said[choice.index].finish = choice.finish_reason or said[choice.index].finish
    return _view(last, said)


def _view(reply: Any, said: Mapping[int, _Said]) -> View:
    return View(
        id=reply.id,
        model=reply.model,
        created=reply.created,
        fingerprint="",
        service_tier="",
        usage=_usage(reply.usage) if reply.usage else None,
        choices=[_choice(index, said[index]) for index in sorted(said)],
    )


def _choice(index: int, said: _Said) -> ChoiceView:
    return ChoiceView(
        index=index,
        text=said.text,
        reasoning=said.reasoning,
        refusal="",
        function_calls=[(call.id, call.function.name, call.function.arguments) for call in said.calls],
        other_calls=[],
        finish=said.finish,
        logprobs=[],
        annotations=[],
    )


def _usage(usage: Any) -> Mapping[str, int]:
    """The SDK keeps cached tokens as it found them, under the two names that Mistral has for them."""
    more = usage.model_extra or {}
    details = more.get("prompt_tokens_details") or {}
    return {
        "input": usage.prompt_tokens,
        "output": usage.completion_tokens,
        "total": usage.total_tokens,
        "cached": more.get("num_cached_tokens") or details.get("cached_tokens") or 0,
        "reasoning": 0,
    }
