"""The official SDK clients: the source of base URL and credentials. They send nothing.

Each client gets every value from settings, empty ones too, so that it takes none from the environment.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from tokenwire_server.secret import Secret
from tokenwire_server.settings import CompatibleProvider, MistralProvider, OpenAIProvider

_HEADERS: Final = {
    "accept": "application/json",
    # Decompressing costs more than it saves between machines that are well connected.
    "accept-encoding": "identity",
    "content-type": "application/json",
    "user-agent": "tokenwire",
}

_KEY_HEADERS: Final = frozenset({"api-key", "x-api-key"})
"""Names that servers take a key by, beside `authorization`: Azure's, and what many proxies ask for."""


class _Ours:
    """Headers with our secrets in them: the same object until a secret changes, as one does in its file."""

    def __init__(self, secrets: Iterable[Secret], build: Callable[[], Mapping[str, str]]) -> None:
        self._secrets = tuple(secrets)
        self._build = build
        self._values: list[str] | None = None
        self._headers: Mapping[str, str] = {}

    def headers(self) -> Mapping[str, str]:
        values = [secret.reveal() for secret in self._secrets]
        if values != self._values:
            self._values, self._headers = values, self._build()
        return self._headers


class OpenAIIdentity:
    """Where an OpenAI provider is and who we are there, as its official SDK has it."""

    def __init__(self, settings: OpenAIProvider) -> None:
        from openai import AsyncOpenAI

        self._secret = settings.api_key
        self.client: Final = AsyncOpenAI(
            api_key=settings.api_key.reveal(),
            base_url=settings.base_url,
            organization=settings.organization,
            project=settings.project,
            max_retries=0,
        )
        self.base_url: Final = str(self.client.base_url).rstrip("/")
        self.query: Final[Mapping[str, str]] = {}
        self._ours = _Ours([settings.api_key], self._build)

    def headers(self, own: Secret | None = None) -> Mapping[str, str]:
        """Those of every request."""
        ours = self._ours.headers()
        return {**ours, "authorization": f"Bearer {own.reveal()}"} if own else ours

    def _build(self) -> Mapping[str, str]:
        self.client.api_key = self._secret.reveal()
        identity = {
            **self.client.auth_headers,
            "OpenAI-Organization": self.client.organization or "",
            "OpenAI-Project": self.client.project or "",
        }
        return _HEADERS | {name.lower(): value for name, value in identity.items() if value}


class MistralIdentity:
    """Where a Mistral provider is and who we are there, as its official SDK has it."""

    def __init__(self, settings: MistralProvider) -> None:
        from mistralai.client import Mistral

        self.client: Final = Mistral(api_key=settings.api_key.reveal, server_url=settings.base_url)
        root, _ = self.client.sdk_configuration.get_server_details()
        self.base_url: Final = root.rstrip("/") + "/v1"
        self.query: Final[Mapping[str, str]] = {}
        self._ours = _Ours([settings.api_key], lambda: self._build(settings.api_key))

    def headers(self, own: Secret | None = None) -> Mapping[str, str]:
        """Those of every request."""
        return self._build(own) if own else self._ours.headers()

    def _build(self, key: Secret) -> Mapping[str, str]:
        return _HEADERS | {"authorization": f"Bearer {key.reveal()}"}


class CompatibleIdentity:
    """Where a server that speaks like OpenAI is, and who we are there: its settings say all there is."""

    def __init__(self, settings: CompatibleProvider) -> None:
        self.base_url: Final = settings.base_url.rstrip("/")
        self.query: Final[Mapping[str, str]] = settings.query
        self._key = settings.api_key
        self._extra = {name.lower(): secret for name, secret in settings.headers.items()}
        secrets = [*self._extra.values(), *((self._key,) if self._key else ())]
        self._ours = _Ours(secrets, self._build)

    def headers(self, own: Secret | None = None) -> Mapping[str, str]:
        """Those of every request. A caller's own key stands wherever one of ours would."""
        return self._build(own) if own else self._ours.headers()

    def _build(self, own: Secret | None = None) -> Mapping[str, str]:
        extra = dict(self._extra)
        if key := own or self._key:
            extra["authorization"] = Secret(f"Bearer {key.reveal()}")
        if own:
            extra |= dict.fromkeys(_KEY_HEADERS & extra.keys(), own)
        return _HEADERS | {name: secret.reveal() for name, secret in extra.items()}
