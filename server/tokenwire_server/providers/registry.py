"""Kind of provider → its Backend. SDKs are imported for the configured kinds only."""

from collections.abc import Mapping
from typing import Final, TypeVar, assert_never

from tokenwire_server.catalog import Catalog
from tokenwire_server.providers import mistral, openai_chat, openai_responses
from tokenwire_server.providers.clients import CompatibleIdentity, MistralIdentity, OpenAIIdentity
from tokenwire_server.providers.codec import Codec, Defaults, Dialect
from tokenwire_server.providers.embed_limits import Limits
from tokenwire_server.providers.embeddings import EmbedFormat
from tokenwire_server.providers.http import HttpClient
from tokenwire_server.providers.provider import Endpoint, ProviderBackend, Wire
from tokenwire_server.secret import Secret
from tokenwire_server.settings import (
    CompatibleProvider,
    MistralProvider,
    OpenAIProvider,
    Provider,
    Settings,
)
from tokenwire_server.settings import Defaults as GlobalDefaults

T = TypeVar("T")

_OPENAI_CODECS: Final[Mapping[Endpoint, Codec]] = {
    "chat": openai_chat.CODEC,
    "responses": openai_responses.CODEC,
}
_COMPATIBLE_CODECS: Final[Mapping[Endpoint, Codec]] = {
    "chat": openai_chat.COMPATIBLE,
    "responses": openai_responses.COMPATIBLE,
}

_OPENAI: Final = EmbedFormat("dimensions", "user", Limits(max_inputs=2048, max_tokens=200_000))
"""OpenAI takes 2,048 inputs and 300,000 tokens a request; tokens are estimated here, hence the margin. The
cap on a reply's size allows fewer inputs, by default."""
_MISTRAL: Final = EmbedFormat("output_dimension", "", Limits(max_inputs=512, max_tokens=10_000))
"""Mistral takes about 16,000 tokens a request (its error: "Too many tokens in batch. Max is 16384")."""


def provider_backends(
    settings: Settings, catalog: Catalog, http: HttpClient
) -> dict[str, list[ProviderBackend]]:
    """The Backends of each configured provider, by name: one for each of its keys."""
    return {
        name: [
            provider_backend(
                name, provider.model_copy(update={"api_key": key}), settings.defaults, http, catalog
            )
            for key in _keys(provider)
        ]
        for name, provider in settings.providers.items()
    }


def _keys(provider: Provider) -> list[Secret | None]:
    """At least one, which is None where a server needs none."""
    return [*filter(None, (provider.api_key, *provider.extra_api_keys))] or [None]


def provider_backend(
    name: str, provider: Provider, shared: GlobalDefaults, http: HttpClient, catalog: Catalog
) -> ProviderBackend:
    """The Backend of one provider; its own defaults come before the shared ones."""
    defaults = Defaults(
        _first(provider.default_max_output_tokens, shared.max_output_tokens),
        _first(provider.default_temperature, shared.temperature),
        shared.busy_flush_seconds,
    )
    return ProviderBackend(name, provider, defaults, _wire(provider), catalog, http)


def _wire(provider: Provider) -> Wire:
    match provider:
        case OpenAIProvider():
            return Wire(OpenAIIdentity(provider), _OPENAI_CODECS, Dialect(), _OPENAI)
        case MistralProvider():
            return Wire(MistralIdentity(provider), {"chat": mistral.CODEC}, Dialect(), _MISTRAL)
        case CompatibleProvider():
            dialect = Dialect(
                tokens_field=provider.tokens_field,
                user_field="user",
                media_urls=provider.allow_media_urls,
                reasoning=True,
            )
            identity = CompatibleIdentity(provider)
            return Wire(identity, _COMPATIBLE_CODECS, dialect, _OPENAI, provider.endpoint)
        case other:
            assert_never(other)


def with_simulator(settings: Settings, urls: Mapping[str, str]) -> Settings:
    """The settings with the simulator as every provider that it speaks like; `urls` has its base URLs."""
    key = Secret("sk-simulator")
    return settings.model_copy(
        update={
            "providers": {
                "openai": OpenAIProvider(kind="openai", api_key=key, base_url=urls["openai"]),
                "mistral": MistralProvider(kind="mistral", api_key=key, base_url=urls["mistral"]),
            },
            "defaults": settings.defaults.model_copy(
                update={"model": settings.defaults.model or "openai/gpt-4o-mini"}
            ),
        }
    )


def _first(own: T | None, shared: T | None) -> T | None:
    return shared if own is None else own
