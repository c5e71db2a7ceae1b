"""The models that a provider lists, with what the catalog knows of them besides.

Servers add fields of their own to those that OpenAI has. Each is taken where it is of the type that it should
be, and what a provider says comes before what the catalog says.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, time
from typing import Any, Final

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire.v1.models_pb2 import Modality, Model, ModelCapability, ModelPrices
from tokenwire_server.catalog import Catalog, Prices
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers.exchange import Exchanger, decoding
from tokenwire_server.providers.jsontext import loads
from tokenwire_server.settings import Kind

_SECONDS: Final = 10.0
_MOST: Final = 5_000
"""Models of one provider: ten times as many as any of them lists, and a tenth of a second to read."""
_MOST_BYTES: Final = 8 * 1024 * 1024

_WINDOWS: Final = ("max_context_length", "context_window", "context_length", "max_model_len")
"""Names of Mistral; of Groq; of OpenRouter and Together; of vLLM."""
_ENDS: Final = ("shutdown_date", "deprecation", "expiration_date")
"""Names of OpenAI; of Mistral; of OpenRouter."""
_COUNT: Final = 2**31
_YEAR_10000: Final = 253_402_300_800

_CAPABILITIES: Final[Mapping[str, "ModelCapability.ValueType"]] = {
    "completion_chat": ModelCapability.MODEL_CAPABILITY_CHAT,
    "function_calling": ModelCapability.MODEL_CAPABILITY_TOOLS,
    "reasoning": ModelCapability.MODEL_CAPABILITY_REASONING,
    "vision": ModelCapability.MODEL_CAPABILITY_VISION,
    "audio": ModelCapability.MODEL_CAPABILITY_AUDIO,
}
"""By Mistral's names; it tells of each whether the model has it."""


class ModelLister:
    """Lists the models of one provider."""

    def __init__(
        self, name: str, kind: Kind, exchanger: Exchanger, catalog: Catalog, max_response_bytes: int
    ) -> None:
        self._name = name
        self._kind = kind
        self._exchanger = exchanger
        self._catalog = catalog
        self._most_bytes = min(max_response_bytes, _MOST_BYTES)

    async def models(self) -> list[Model]:
        """All of them, one for each id, by name. Raises GatewayError; ends within ten seconds."""
        raw = await self._exchanger.get("/models", self._most_bytes, _SECONDS)
        with decoding():
            models = {model.name: model for model in map(self._model, _cards(loads(raw)))}
        return [models[name] for name in sorted(models)]

    def _model(self, card: Mapping[str, Any]) -> Model:
        model = Model(id=_text(card, "id"), provider=self._name)
        if not model.id:
            raise ValueError("a model without an id")
        model.name = f"{self._name}/{model.id}"
        _add_known(model, self._catalog, self._kind)
        _add_said(model, card)
        created = _number(card, _YEAR_10000, "created")
        if created and self._kind != "mistral":  # which says the time of the request
            model.create_time.FromSeconds(created)
        return model


def _cards(reply: object) -> list[Mapping[str, Any]]:
    """What is listed; some servers give the bare list, and null where it is empty."""
    if isinstance(reply, dict):
        reply = [] if reply["data"] is None else reply["data"]
    if not isinstance(reply, list):
        raise TypeError("no list")
    if len(reply) > _MOST:
        raise GatewayError(
            reason=Reason.RESPONSE_TOO_LARGE, text="The provider lists more models than allowed."
        )
    return reply


def _add_known(model: Model, catalog: Catalog, kind: Kind) -> None:
    """What the catalog knows."""
    row, facts = catalog.find(kind, model.id), catalog.facts(kind, model.id)
    if row:
        model.reasoning_efforts.extend(row.efforts or ())
    if facts is None:
        return
    model.display_name = facts.display_name
    model.context_window = facts.context_window or 0
    model.max_output_tokens = facts.max_output_tokens or 0
    for capability in facts.capabilities or ():
        model.capabilities.append(ModelCapability.Value(f"MODEL_CAPABILITY_{capability.upper()}"))
    for modality in facts.input_modalities or ():
        model.input_modalities.append(Modality.Value(f"MODALITY_{modality.upper()}"))
    if facts.prices:
        model.prices.CopyFrom(_prices(facts.prices))
    if facts.shutdown:
        model.deprecate_time.FromDatetime(datetime.combine(facts.shutdown, time(), UTC))
    model.replacement = facts.replacement or ""


def _prices(prices: Prices) -> ModelPrices:
    return ModelPrices(
        input_usd=prices.input_usd,
        cached_input_usd=prices.cached_input_usd,
        output_usd=prices.output_usd,
        cache_write_input_usd=prices.cache_write_input_usd,
    )


def _add_said(model: Model, card: Mapping[str, Any]) -> None:
    """What the provider says, over what the catalog knows."""
    aliases = card.get("aliases")
    if isinstance(aliases, list):
        model.aliases.extend(alias for alias in aliases if isinstance(alias, str))
    name = _text(card, "display_name", "name")
    if name not in (model.id, *model.aliases):  # else it is none for people
        model.display_name = name or model.display_name
    model.description = _text(card, "description")
    model.context_window = _number(card, _COUNT, *_WINDOWS) or model.context_window
    model.max_output_tokens = _number(card, _COUNT, "max_completion_tokens") or model.max_output_tokens
    capabilities = card.get("capabilities")
    if isinstance(capabilities, dict):
        model.capabilities[:] = _capable(model, capabilities)
    if end := _moment(_text(card, *_ENDS)):
        model.deprecate_time.FromDatetime(end)
    model.replacement = _text(card, "deprecation_replacement_model") or model.replacement


def _capable(model: Model, said: Mapping[str, object]) -> list["ModelCapability.ValueType"]:
    has = set(model.capabilities)
    for name, capability in _CAPABILITIES.items():
        if said.get(name) is True:
            has.add(capability)
        elif said.get(name) is False:
            has.discard(capability)
    return sorted(has)


def _text(card: Mapping[str, Any], *names: str) -> str:
    """The first of these fields that is a text."""
    return next((text for name in names if isinstance(text := card.get(name), str)), "")


def _number(card: Mapping[str, Any], end: int, *names: str) -> int:
    """The first of these fields that is a whole number from 1 on and below `end`; 0 where none is."""
    return next((n for name in names if type(n := card.get(name)) is int and 0 < n < end), 0)


def _moment(text: str) -> datetime | None:
    """What an ISO date or time means, in UTC where it does not say; None beyond the years 1 to 9999 there."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
