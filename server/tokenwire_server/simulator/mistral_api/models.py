"""The models that the simulator knows, and their cards."""

from dataclasses import dataclass

from tokenwire_server.simulator.values import Json

_CAPABILITIES = (
    "completion_chat",
    "function_calling",
    "reasoning",
    "completion_fim",
    "fine_tuning",
    "vision",
    "ocr",
    "classification",
    "moderation",
    "audio",
    "audio_transcription",
)


@dataclass(frozen=True, slots=True)
class Vectors:
    """The vectors that a model makes."""

    size: int  # where the request says nothing
    longest: int
    shapes: bool = False  # takes output_dimension and other dtypes than float


@dataclass(frozen=True, slots=True)
class Model:
    """What a model is and what it accepts."""

    window: int
    capabilities: tuple[str, ...] = ("completion_chat", "function_calling")
    aliases: tuple[str, ...] = ()
    always_reasons: bool = False
    temperature: float | None = 0.3
    deprecation: str | None = None
    replacement: str | None = None
    vectors: Vectors | None = None  # None: it makes none

    def can(self, capability: str) -> bool:
        return capability in self.capabilities


_CHAT = ("completion_chat", "function_calling")
_VISION = (*_CHAT, "vision")
_THINKING = (*_VISION, "reasoning")

MODELS: dict[str, Model] = {
    "mistral-tiny": Model(
        32_768, deprecation="2026-11-30T12:00:00Z", replacement="ministral-8b-latest", temperature=0.7
    ),
    "mistral-small-latest": Model(131_072, _THINKING, ("mistral-small-2603",), temperature=0.7),
    "mistral-medium-latest": Model(131_072, _THINKING, ("mistral-medium", "mistral-medium-2604")),
    "mistral-large-latest": Model(262_144, _VISION, ("mistral-large-2512",)),
    "open-mistral-nemo": Model(131_072, aliases=("open-mistral-nemo-2407", "mistral-tiny-2407")),
    "codestral-latest": Model(256_000, (*_CHAT, "completion_fim"), ("codestral-2508",)),
    "ministral-8b-latest": Model(131_072, _VISION, ("ministral-8b-2512",)),
    "pixtral-12b": Model(131_072, _VISION, ("pixtral-12b-2409", "pixtral-12b-latest")),
    "magistral-small-latest": Model(
        131_072, _THINKING, ("magistral-small-2509",), always_reasons=True, temperature=0.7
    ),
    "magistral-medium-latest": Model(
        131_072, _THINKING, ("magistral-medium-2509",), always_reasons=True, temperature=0.7
    ),
    "mistral-embed": Model(
        8_192, (), ("mistral-embed-2312",), temperature=None, vectors=Vectors(1_024, 1_024)
    ),
    "codestral-embed": Model(
        8_192, (), ("codestral-embed-2505",), temperature=None, vectors=Vectors(1_536, 3_072, shapes=True)
    ),
}

_NAMES = {alias: name for name, model in MODELS.items() for alias in (name, *model.aliases)}


def find(name: str) -> Model | None:
    """The model with this name or alias."""
    return MODELS.get(_NAMES.get(name, ""))


def card(name: str, now: int) -> Json:
    """The model's card as the API lists it; KeyError for an unknown name."""
    model = MODELS[_NAMES[name]]
    return {
        "id": name,
        "object": "model",
        "created": now,  # as the real cards have it
        "owned_by": "mistralai",
        "capabilities": {capability: model.can(capability) for capability in _CAPABILITIES},
        "name": _NAMES[name],
        "description": f"A simulation of {_NAMES[name]}",
        "max_context_length": model.window,
        "aliases": [alias for alias in (_NAMES[name], *model.aliases) if alias != name],
        "deprecation": model.deprecation,
        "deprecation_replacement_model": model.replacement,
        "default_model_temperature": model.temperature,
        "type": "base",
    }
