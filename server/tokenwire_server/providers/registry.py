"""Kind of provider → its Backend. SDKs are imported for the configured kinds only."""

from collections.abc import Mapping
from typing import Final, TypeVar, assert_never

from tokenwire_server.backend import Backend
from tokenwire_server.catalog import Catalog
from tokenwire_server.providers import mistral, openai_chat
from tokenwire_server.providers.clients import CompatibleIdentity, MistralIdentity, OpenAIIdentity
from tokenwire_server.providers.codec import Defaults, Dialect
from tokenwire_server.providers.embeddings import EmbedFormat
from tokenwire_server.providers.http import HttpClient
from tokenwire_server.providers.provider import ProviderBackend, Wire
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

_OPENAI: Final = EmbedFormat("dimensions", "user", max_inputs=2048, max_tokens=200_000)
"""OpenAI takes 2,048 inputs and 300,000 tokens a request; tokens are estimated here, hence the margin. The
cap on a reply's size allows fewer inputs, by default."""
_MISTRAL: Final = EmbedFormat("output_dimension", "", max_inputs=512, max_tokens=10_000)
"""Mistral takes about 16,000 tokens a request (its error: "Too many tokens in batch. Max is 16384")."""


def provider_backends(settings: Settings, catalog: Catalog, http: HttpClient) -> dict[str, Backend]:
    """The Backend of each configured provider, by name."""
    return {
        name: provider_backend(name, provider, settings.defaults, http, catalog)
        for name, provider in settings.providers.items()
    }


def provider_backend(
    name: str, provider: Provider, shared: GlobalDefaults, http: HttpClient, catalog: Catalog
) -> Backend:
    """The Backend of one provider; its own defaults come before the shared ones."""
    defaults = Defaults(
        # 0 = not sent
        _first(provider.default_max_output_tokens, shared.max_output_tokens) or None,
        _first(provider.default_temperature, shared.temperature),
    )
    return ProviderBackend(name, provider, defaults, _wire(provider), catalog, http)


def _wire(provider: Provider) -> Wire:
    match provider:
        case OpenAIProvider():
            return Wire(OpenAIIdentity(provider), openai_chat.CODEC, Dialect(), _OPENAI)
        case MistralProvider():
            return Wire(MistralIdentity(provider), mistral.CODEC, Dialect(), _MISTRAL)
        case CompatibleProvider():
            dialect = Dialect(
                tokens_field=provider.tokens_field,
                user_field="user",
                media_urls=provider.allow_media_urls,
                reasoning=True,
            )
            return Wire(CompatibleIdentity(provider), openai_chat.COMPATIBLE, dialect, _OPENAI)
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
