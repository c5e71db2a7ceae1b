"""The settings of one provider: a model for each kind, told apart by `kind`."""

import re
from collections.abc import Iterable
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from tokenwire_server.secret import Secret
from tokenwire_server.settings_types import (
    MIB,
    PORTS,
    Count,
    Plain,
    Seconds,
    SecretText,
    Table,
    Temperature,
    Tokens,
    Unsupported,
    is_loopback,
    parsed,
)

__all__ = ["CompatibleProvider", "MistralProvider", "OpenAIProvider", "Provider", "ProviderName", "Timeouts"]

URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<user>[^/?#]*@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?"
    r"(/[!-\[\]-~]*)?",  # printable ASCII without the backslash, which parsers read in two ways
    re.ASCII,
)
OWN_HEADERS: Final = frozenset({
    "accept-encoding", "connection", "content-length", "content-type", "expect", "host", "keep-alive",
    "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip
"""Headers that belong to the connection or the body; a value of someone else's would break calls."""


def _url(text: str, plain_http: str) -> str:
    """A base URL without a slash at its end. `plain_http` says what is wrong with http; empty = nothing.

    Never repeats the URL: what is wrong with it may be a password.
    """
    place, *extra = re.split(r"[?#]", text, maxsplit=1)
    url = URL.fullmatch(place)
    if url is None or int(url["port"] or 0) > PORTS:
        raise ValueError("is no http or https URL; write one such as https://api.openai.com/v1")
    if url["user"]:
        raise ValueError("has a user name or password in it; put the key into api_key")
    if extra:
        raise ValueError("has a query or fragment; end it after the path")
    if plain_http and url["scheme"] == "http" and not is_loopback(url["host"].strip("[]")):
        raise ValueError(plain_http)
    return text.rstrip("/")


def _base_url(text: str) -> str:
    return _url(text, "sends the key unencrypted; use https (http is for loopback hosts only)")


def _server_root(text: str) -> str:
    root = _base_url(text)
    if root.endswith("/v1"):
        raise ValueError("ends in /v1, which is added to it; leave that out")
    return root


def _compatible_url(text: str, info: ValidationInfo) -> str:
    if info.data.get("allow_plain_http", True):  # missing = wrong in itself
        return _url(text, "")
    return _url(text, "sends prompts and keys unencrypted; use https, or set allow_plain_http = true")


def _once(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise ValueError(f"has {name} twice; remove one")
        seen.add(name.lower())


def _headers(headers: dict[str, Secret], info: ValidationInfo) -> dict[str, Secret]:
    _once(headers)
    if info.data.get("api_key") is not None and "authorization" in map(str.lower, headers):
        raise ValueError("has authorization, which api_key sends as well; remove one")
    return headers


def _header_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}", name):
        raise ValueError("is no header's name; use letters, digits and -")
    if name.lower() in OWN_HEADERS:
        raise ValueError("is a header that the gateway sets itself; remove it")
    return name


def _query_name(name: str) -> str:
    if not name:
        raise ValueError("has an empty name in it; give it one")
    return name


def _provider_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", name):
        raise ValueError("is no provider's name; use 1 to 32 of a-z, 0-9, _ and -, first a letter or digit")
    return name


ProviderName = Annotated[str, AfterValidator(_provider_name)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
QueryName = Annotated[Plain, BeforeValidator(_query_name)]
Headers = Annotated[dict[HeaderName, SecretText], BeforeValidator(parsed), AfterValidator(_headers)]
"""No two names differ only in case, and none sends what `api_key` does."""


class Timeouts(Table):
    """Seconds a provider is waited for."""

    connect: Seconds = Field(default=5.0, description="seconds to a connection")
    first_token: Seconds = Field(default=60.0, description="seconds to a stream's first content")
    idle: Seconds = Field(default=60.0, description="seconds between two events of a stream")
    total: Seconds = Field(default=600.0, description="seconds for a whole answer")
    reasoning_first_token: Seconds = Field(
        default=300.0, description="in the place of `first_token`, while the model reasons"
    )
    reasoning_idle: Seconds = Field(
        default=120.0, description="in the place of `idle`, while the model reasons"
    )


class ModelTimeouts(Table):
    """Seconds that one model is waited for; what is absent is as for all of the provider."""

    connect: Seconds | None = None
    first_token: Seconds | None = None
    idle: Seconds | None = None
    total: Seconds | None = None


AS_IN_DEFAULTS: Final = "as in `defaults`, and wins over it"
API_KEY: Final = "the key itself, `env:NAME` or `file:/path`"
SENT: Final = "sent with each call"


class _Common(Table):
    """What a provider of any kind has."""

    extra_api_keys: Annotated[tuple[SecretText, ...], BeforeValidator(parsed)] = Field(
        default=(), description="more keys, each as `api_key`; calls take the one that has least to do"
    )
    default_model: Plain = Field(default="", description=AS_IN_DEFAULTS)
    default_max_output_tokens: Tokens | None = Field(default=None, description=AS_IN_DEFAULTS)
    default_temperature: Temperature | None = Field(default=None, description=AS_IN_DEFAULTS)
    unsupported_parameters: Unsupported | None = Field(default=None, description=AS_IN_DEFAULTS)
    timeouts: Timeouts = Timeouts()
    model_timeouts: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=256)], ModelTimeouts], BeforeValidator(parsed)
    ] = Field(
        default_factory=dict,
        description="the same for single models, by the provider's names for them; a table of tables",
    )
    max_event_bytes: Count = Field(default=4 * MIB, description="largest event of a stream")
    max_response_bytes: Count = Field(default=32 * MIB, description="largest answer")


class OpenAIProvider(_Common):
    """OpenAI itself."""

    kind: Literal["openai"] = Field(description="OpenAI itself")
    api_key: SecretText = Field(description=API_KEY)
    base_url: Annotated[str, AfterValidator(_base_url)] = Field(
        default="https://api.openai.com/v1", description="http only to loopback hosts"
    )
    organization: Plain = Field(default="", description=SENT)
    project: Plain = Field(default="", description=SENT)


class MistralProvider(_Common):
    """Mistral itself."""

    kind: Literal["mistral"] = Field(description="Mistral itself")
    api_key: SecretText = Field(description=API_KEY)
    base_url: Annotated[str, AfterValidator(_server_root)] = Field(
        default="https://api.mistral.ai",
        description="the server, without `/v1`; http only to loopback hosts",
    )


class CompatibleProvider(_Common):
    """A server that speaks OpenAI's protocol, more or less."""

    kind: Literal["openai_compatible"] = Field(description="a server that speaks OpenAI's protocol")
    # Stands before `base_url`, whose check needs it.
    allow_plain_http: bool = Field(
        default=False,
        description="true = `base_url` may be http to other machines: prompts and keys cross the network "
        "unencrypted",
    )
    base_url: Annotated[str, AfterValidator(_compatible_url)] = Field(
        description="with the `/v1` that most servers have; http only to loopback hosts"
    )
    api_key: SecretText | None = Field(default=None, description=f"{API_KEY}; without it no key is sent")
    headers: Headers = Field(
        default_factory=dict,
        description="sent with each call; a table of names and secrets. "
        "Not those of the connection or the body, such as `host`",
    )
    query: Annotated[dict[QueryName, Plain], BeforeValidator(parsed)] = Field(
        default_factory=dict,
        description="added to each URL, such as `api-version`; a table. Not for secrets",
    )
    allow_media_urls: bool = Field(
        default=False,
        description="true = the server may be sent URLs of media, which it then fetches from where it stands",
    )
    tokens_field: Literal["max_tokens", "max_completion_tokens"] = Field(
        default="max_tokens",
        description="or `max_completion_tokens`: what the server calls the limit of an answer's tokens",
    )
    endpoint: Literal["chat", "responses"] = Field(
        default="chat", description="or `responses`: the endpoint of models for which the catalog names none"
    )


Provider: TypeAlias = Annotated[
    OpenAIProvider | MistralProvider | CompatibleProvider, Field(discriminator="kind")
]
