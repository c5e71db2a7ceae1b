"""A working directory with settings in it."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tokenwire_server.settings import (
    OpenAIProvider,
    Settings,
    SettingsError,
    load,
)

KEY = "sk-canary-0123456789"
OPENAI = f'[providers.openai]\nkind = "openai"\napi_key = "{KEY}"\n'


def openai(found: Settings) -> OpenAIProvider:
    """The provider `openai`, which must be one of that kind."""
    provider = found.providers["openai"]
    assert isinstance(provider, OpenAIProvider)
    return provider


class Place:
    """A working directory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str) -> Path:
        path = self.path / name
        path.write_text(text, encoding="utf-8")
        return path

    def load(
        self,
        toml: str = "",
        environ: Mapping[str, str] | None = None,
        dotenv: str = "",
        overrides: Mapping[str, object] | None = None,
    ) -> Settings:
        self.write("tokenwire.toml", toml)
        self.write(".env", dotenv)
        return load(None, environ or {}, self.path, overrides or {})

    def mistakes(
        self, toml: str = "", environ: Mapping[str, str] | None = None, dotenv: str = ""
    ) -> list[str]:
        with pytest.raises(SettingsError) as caught:
            self.load(toml, environ, dotenv)
        assert KEY not in str(caught.value)
        assert caught.value.__context__ is None
        return str(caught.value).split("\n")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)
