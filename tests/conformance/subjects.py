"""Whom the suite asks: each provider as settings describe it, in front of the simulator."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.settings import Provider
from tokenwire_server.simulator import Simulator

_PROVIDER: TypeAdapter[Provider] = TypeAdapter(Provider)
_AZURE = {"query": {"api-version": "2025-04-01-preview"}, "headers": {"api-key": "sk-test"}}


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A provider, and what sets it apart from the others."""

    name: str
    model: str
    thinker: str
    """A model that reasons, whatever the request says."""
    thoughts: str = ""
    """Where its thoughts stand in a message of its own; empty = it does not show them."""
    sealed: bool = False
    """Whether its answers have its thoughts in them, sealed, even where it shows none."""
    kind: str = "openai_compatible"
    server: str = ""
    """The simulated server that it is; empty = the one of its name."""
    keyless: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    makes_ids: bool = True
    """Whether its tool calls have ids: the gateway makes up those of the others, anew in each answer."""
    tells_usage: bool = True
    stop: "pb.FinishReason.ValueType" = pb.FINISH_REASON_STOP
    """What its word for the end of an answer means."""
    ends: str = "stop"
    """That word."""
    lacks: frozenset[str] = frozenset()
    """Paths of parameters that its API has no place for."""
    least_tokens: int = 1
    """The smallest limit of an answer that it takes."""
    refuses: bool = False
    """Whether its model's refusals stand apart from texts."""

    @property
    def keeps_thoughts(self) -> bool:
        """Whether its answers have what its model thought as a part."""
        return bool(self.thoughts) or self.sealed

    def url(self, simulator: Simulator) -> str:
        """Where it is."""
        if self.kind == "openai_compatible":
            return simulator.compatible_url(self.server or self.name)
        return simulator.mistral_url if self.kind == "mistral" else simulator.url

    def provider(self, simulator: Simulator) -> Provider:
        """Its settings."""
        key = {} if self.keyless else {"api_key": "sk-test"}
        url = self.url(simulator)
        return _PROVIDER.validate_python({"kind": self.kind, "base_url": url, **key, **self.settings})

    def __str__(self) -> str:
        return self.name


OPENAI = Subject("openai", "gpt-4o-mini", "o3-mini", kind="openai", refuses=True)
MISTRAL = Subject("mistral", "mistral-small-latest", "magistral-small-latest", "thinking", kind="mistral")
VLLM = Subject(
    "vllm", "simulated-model", "a-thinking-model", "reasoning_content", settings={"allow_media_urls": True}
)
OLLAMA = Subject("ollama", "llama3.2:latest", "qwen3", "reasoning", keyless=True)
LLAMACPP = Subject(
    "llamacpp", "model.gguf", "a-thinking-model", "reasoning_content", keyless=True, makes_ids=False
)
GROQ = Subject("groq", "llama-3.3-70b-versatile", "openai/gpt-oss-120b", "reasoning")
DEEPSEEK = Subject("deepseek", "deepseek-chat", "deepseek-reasoner", "reasoning_content")
OPENROUTER = Subject("openrouter", "openai/gpt-4o-mini", "deepseek/deepseek-r1", "reasoning")
AZURE = Subject(
    "azure",
    "gpt-4o-mini",
    "o3-mini",
    keyless=True,
    settings={**_AZURE, "tokens_field": "max_completion_tokens", "allow_media_urls": True},
    refuses=True,
)
ODD = Subject(
    "odd",
    "odd-model",
    "a-thinking-model",
    "reasoning",
    makes_ids=False,
    tells_usage=False,
    stop=pb.FINISH_REASON_OTHER,
    ends="eos",
)
_RESPONSES_LACKS = frozenset(
    f"config.{name}"
    for name in (
        *("stop", "seed", "top_k", "frequency_penalty", "presence_penalty"),
        *("candidate_count", "logit_bias"),
    )
)
RESPONSES = Subject(
    "openai-responses",
    "gpt-5.2",
    "gpt-5-mini",
    sealed=True,
    kind="openai",
    ends="completed",
    lacks=_RESPONSES_LACKS,
    least_tokens=16,
    refuses=True,
)
VLLM_RESPONSES = Subject(
    "vllm-responses",
    "simulated-model",
    "a-thinking-model",
    "reasoning",
    server="vllm",
    settings={"allow_media_urls": True, "endpoint": "responses"},
    ends="completed",
    lacks=_RESPONSES_LACKS,
    refuses=True,
)

OPENAIS_OWN = (OPENAI, AZURE)
"""Those that serve OpenAI's models by OpenAI's rules, through Chat Completions."""
BY_RESPONSES = (RESPONSES, VLLM_RESPONSES)
"""Those that are spoken to through the Responses API."""
SUBJECTS = (
    *(OPENAI, MISTRAL, VLLM, OLLAMA, LLAMACPP, GROQ, DEEPSEEK, OPENROUTER, AZURE, ODD),
    *BY_RESPONSES,
)
"""All of them."""
THINKING = tuple(subject for subject in SUBJECTS if subject.thoughts)
"""Those that show what their models think."""
