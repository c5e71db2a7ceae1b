"""The official SDK clients: the source of base URL and credentials, and of control-plane calls."""

from collections.abc import Mapping
from typing import Final

from openai import AsyncOpenAI

from tokenwire_server.settings import Provider

_HEADERS: Final = {
    "Accept": "application/json",
    # Decompressing costs more than it saves between machines that are well connected.
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
    "User-Agent": "tokenwire",
}


class OpenAIIdentity:
    """Where an OpenAI provider is and who we are there, as its official SDK has it.

    The client gets every value from settings, empty ones too, so that it takes none from the environment.
    """

    def __init__(self, settings: Provider) -> None:
        self._secret = settings.api_key
        self.client: Final = AsyncOpenAI(
            api_key=settings.api_key.reveal(),
            base_url=settings.base_url,
            organization=settings.organization,
            project=settings.project,
            max_retries=0,
        )
        self.base_url: Final = str(self.client.base_url).rstrip("/")
        self._headers = self._build()

    def headers(self) -> Mapping[str, str]:
        """Those of every request. A key that was rotated in its file is taken up here."""
        key = self._secret.reveal()
        if key != self.client.api_key:
            self.client.api_key = key
            self._headers = self._build()
        return self._headers

    def _build(self) -> Mapping[str, str]:
        identity = {
            **self.client.auth_headers,
            "OpenAI-Organization": self.client.organization or "",
            "OpenAI-Project": self.client.project or "",
        }
        return _HEADERS | {name: value for name, value in identity.items() if value}
