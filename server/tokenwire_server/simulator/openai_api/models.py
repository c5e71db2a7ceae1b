"""The models that the simulator knows, and how they differ in what they accept.

A model is known if its name is in the table or is one of these names followed by a date. Families are
matched by their longest prefix.
"""

import re
from dataclasses import dataclass

from tokenwire_server.simulator.openai_api.errors import ApiError


@dataclass(frozen=True, slots=True)
class Embedder:
    """A model that makes vectors."""

    size: int
    shortens: bool = True  # takes `dimensions`
    named: str | None = None  # what answers call it, if not as the request does


EMBEDDERS = {
    "text-embedding-3-small": Embedder(1_536),
    "text-embedding-3-large": Embedder(3_072),
    "text-embedding-ada-002": Embedder(1_536, shortens=False, named="text-embedding-ada-002-v2"),
}

MODELS = (
    *("gpt-3.5-turbo", "gpt-3.5-turbo-16k", "gpt-3.5-turbo-0125", "gpt-3.5-turbo-1106"),
    *("gpt-4", "gpt-4-32k", "gpt-4-0613", "gpt-4-turbo", "gpt-4-turbo-preview"),
    *("gpt-4-0125-preview", "gpt-4-1106-preview", "gpt-4.5-preview"),
    *("gpt-4o", "gpt-4o-mini", "chatgpt-4o-latest", "gpt-4o-audio-preview", "gpt-4o-mini-audio-preview"),
    *("gpt-4o-search-preview", "gpt-4o-mini-search-preview", "gpt-audio-mini"),
    *("gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano"),
    *("o1", "o1-mini", "o1-preview", "o1-pro", "o3", "o3-mini", "o3-pro", "o4-mini"),
    *("gpt-5", "gpt-5-mini", "gpt-5-nano", "gpt-5-pro", "gpt-5-codex", "gpt-5-chat-latest"),
    *("gpt-5.1", "gpt-5.1-mini", "gpt-5.1-codex", "gpt-5.1-codex-mini", "gpt-5.1-codex-max"),
    *("gpt-5.1-chat-latest", "gpt-5.2", "gpt-5.2-pro", "gpt-5.2-codex", "gpt-5.2-chat-latest"),
    *("gpt-5.3-codex", "gpt-5.3-chat-latest"),
    *("gpt-5.4", "gpt-5.4-mini", "gpt-5.4-nano", "gpt-5.4-pro", "gpt-5.5", "gpt-5.5-pro"),
    *("gpt-5.6", "gpt-5.6-sol", "gpt-5.6-terra", "gpt-5.6-luna"),
    *(
        "gpt-6-astra",
        "gpt-6-sol",
        "gpt-6-luna",
        "gpt-6.1-sol",
        "gpt-6.1-terra",
        "gpt-6.2-astra",
        "gpt-6.2-sol",
    ),
    *("o3-deep-research", "o4-mini-deep-research", "computer-use-preview"),
    *EMBEDDERS,
)

_DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$")
_ONLY_RESPONSES = re.compile(r"-pro$|-codex|-deep-research$|^computer-use-")
_WITHOUT_RESPONSES = re.compile(r"audio|-search-|^o1-(mini|preview)$|embedding")

_OLD_EFFORTS = ("low", "medium", "high")
_NEW_EFFORTS = ("none", "low", "medium", "high", "xhigh")
_PRO_EFFORTS = ("medium", "high", "xhigh")
_CODEX_EFFORTS = ("low", "medium", "high", "xhigh")


@dataclass(frozen=True, slots=True)
class Family:
    """What the models of one family accept."""

    window: int  # tokens of prompt and answer together
    longest: int  # tokens of an answer
    efforts: tuple[str, ...] = ()  # none: it does not reason
    effort: str = "none"  # where the request names none
    stop: bool = True  # takes stop texts
    instructions: bool = True  # takes system and developer messages
    fixed_sampling: bool = False  # says "parameter" where the others say "value"
    tools_need_no_effort: bool = False  # refuses tools together with an effort
    search: bool = False
    most_choices: int = 128
    verbosity: bool = False  # takes others than medium
    phases: bool = False  # tells its last message from those before a tool call

    @property
    def reasons(self) -> bool:
        return bool(self.efforts)


def _reasoning(
    efforts: tuple[str, ...],
    effort: str,
    *,
    strict: bool = False,
    verbosity: bool = True,
    phases: bool = False,
) -> Family:
    return Family(
        400_000,
        128_000,
        efforts,
        effort,
        stop=False,
        tools_need_no_effort=strict,
        most_choices=8,
        verbosity=verbosity,
        phases=phases,
    )


def _codex(efforts: tuple[str, ...], *, phases: bool = False) -> Family:
    return _reasoning(efforts, "medium", verbosity=False, phases=phases)


_MEDIUM = _reasoning(("medium",), "medium", verbosity=False)  # thinks, but takes no other effort
_PRO = _reasoning(_PRO_EFFORTS, "medium")

_FAMILIES: dict[str, Family] = {
    "": Family(128_000, 16_384),
    "gpt-3.5": Family(16_385, 4_096),
    "gpt-4": Family(8_192, 8_192),
    "gpt-4-32k": Family(32_768, 32_768),
    "gpt-4-turbo": Family(128_000, 4_096),
    "gpt-4-0125": Family(128_000, 4_096),
    "gpt-4-1106": Family(128_000, 4_096),
    "gpt-4.5": Family(128_000, 16_384),
    "gpt-4o": Family(128_000, 16_384),
    "gpt-4o-search": Family(128_000, 16_384, search=True, most_choices=1),
    "gpt-4o-mini-search": Family(128_000, 16_384, search=True, most_choices=1),
    "gpt-4.1": Family(1_047_576, 32_768),
    "o1": Family(200_000, 100_000, _OLD_EFFORTS, "medium", most_choices=8),
    "o1-mini": Family(128_000, 65_536, _OLD_EFFORTS, "medium", instructions=False, most_choices=8),
    "o1-preview": Family(128_000, 32_768, _OLD_EFFORTS, "medium", instructions=False, most_choices=8),
    "o3": Family(200_000, 100_000, _OLD_EFFORTS, "medium", stop=False, most_choices=8),
    "o3-mini": Family(200_000, 100_000, _OLD_EFFORTS, "medium", fixed_sampling=True, most_choices=8),
    "o4": Family(200_000, 100_000, _OLD_EFFORTS, "medium", stop=False, most_choices=8),
    "computer-use": Family(8_192, 1_024, _OLD_EFFORTS, "medium", stop=False, most_choices=1),
    "gpt-5": _reasoning(("minimal", "low", "medium", "high"), "medium"),
    "gpt-5-chat": Family(128_000, 16_384),
    "gpt-5-codex": _codex(_OLD_EFFORTS),
    "gpt-5-pro": _reasoning(("high",), "high"),
    "gpt-5.1": _reasoning(("none", "low", "medium", "high"), "none"),
    "gpt-5.1-chat": _MEDIUM,
    "gpt-5.1-codex": _codex(_OLD_EFFORTS),
    "gpt-5.1-codex-max": _codex(_CODEX_EFFORTS),
    "gpt-5.2": _reasoning(_NEW_EFFORTS, "none"),
    "gpt-5.2-chat": _MEDIUM,
    "gpt-5.2-codex": _codex(_CODEX_EFFORTS),
    "gpt-5.2-pro": _PRO,
    "gpt-5.3-chat": Family(128_000, 16_384),
    "gpt-5.3-codex": _codex(_CODEX_EFFORTS, phases=True),
    "gpt-5.4": _reasoning(_NEW_EFFORTS, "none", strict=True, phases=True),
    "gpt-5.4-pro": _PRO,
    "gpt-5.5": _reasoning(_NEW_EFFORTS, "medium", strict=True, phases=True),
    "gpt-5.5-pro": _PRO,
    "gpt-5.6": _reasoning((*_NEW_EFFORTS, "max"), "medium", strict=True, phases=True),
    "gpt-6": _reasoning((*_NEW_EFFORTS, "max"), "medium", strict=True, phases=True),
    "gpt-6-astra": _reasoning((*_CODEX_EFFORTS, "max"), "medium", strict=True, phases=True),
}


def is_known(model: str) -> bool:
    """Whether the model exists."""
    return model in MODELS or (bool(_DATED.search(model)) and _DATED.sub("", model) in MODELS)


def not_found(model: str) -> ApiError:
    """The recorded error for a model that does not exist."""
    text = f"The model `{model}` does not exist or you do not have access to it."
    return ApiError(text, None, "model_not_found", status=404)


def family(model: str) -> Family:
    """What the model accepts."""
    return _FAMILIES[max((prefix for prefix in _FAMILIES if model.startswith(prefix)), key=len)]


def only_in_responses(model: str) -> bool:
    """Whether the Chat Completions endpoint refuses the model."""
    return bool(_ONLY_RESPONSES.search(_DATED.sub("", model)))


def only_in_chat(model: str) -> bool:
    """Whether the Responses endpoint refuses the model."""
    return bool(_WITHOUT_RESPONSES.search(_DATED.sub("", model)))
