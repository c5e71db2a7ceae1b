"""Kind of provider → its Backend. SDKs are imported here, of the configured kinds only."""

from typing import TypeVar, assert_never

from tokenwire_server.backend import Backend
from tokenwire_server.providers.codec import Defaults
from tokenwire_server.providers.http import HttpClient
from tokenwire_server.providers.provider import ProviderBackend
from tokenwire_server.settings import Defaults as GlobalDefaults
from tokenwire_server.settings import Provider, Settings

T = TypeVar("T")


def provider_backend(name: str, settings: Provider, defaults: GlobalDefaults, http: HttpClient) -> Backend:
    """The Backend of one configured provider; its own defaults come before the global ones."""
    sent = Defaults(
        _first(settings.default_max_output_tokens, defaults.max_output_tokens) or None,  # 0 = not sent
        _first(settings.default_temperature, defaults.temperature),
    )
    match settings.kind:
        case "openai":
            from tokenwire_server.providers import openai_chat
            from tokenwire_server.providers.clients import OpenAIIdentity

            return ProviderBackend(name, settings, sent, OpenAIIdentity(settings), http, openai_chat.CODEC)
        case other:
            assert_never(other)


def with_simulator(settings: Settings, url: str) -> Settings:
    """The settings with the simulator at `url` as every provider that it speaks like."""
    stand_in = Provider.model_validate({"kind": "openai", "api_key": "sk-simulator", "base_url": url})
    default = settings.defaults.model or "openai/gpt-4o-mini"
    return settings.model_copy(
        update={
            "providers": {"openai": stand_in},
            "defaults": settings.defaults.model_copy(update={"model": default}),
        }
    )


def _first(own: T | None, shared: T | None) -> T | None:
    return shared if own is None else own
