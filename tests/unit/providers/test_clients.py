"""Who we are to each provider: its settings alone say so, and nothing of the environment does."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from oracle.capture import Capture, capturing, gateway, new_call, our_stream
from support.ask import ask

from tokenwire_server.providers.clients import CompatibleIdentity, MistralIdentity, OpenAIIdentity
from tokenwire_server.secret import Secret
from tokenwire_server.settings import CompatibleProvider, MistralProvider, OpenAIProvider

AMBIENT = {
    "OPENAI_API_KEY": "sk-ambient-1",
    "OPENAI_ADMIN_KEY": "sk-ambient-2",
    "OPENAI_ORG_ID": "org-ambient",
    "OPENAI_PROJECT_ID": "proj-ambient",
    "OPENAI_BASE_URL": "http://127.0.0.1:1/ambient",
    "OPENAI_CUSTOM_HEADERS": "X-Ambient: yes",
    "OPENAI_WEBHOOK_SECRET": "whsec-ambient",
    "MISTRAL_API_KEY": "mk-ambient-1",
    "MISTRAL_SERVER_URL": "http://127.0.0.1:1/ambient",
    "MISTRAL_BASE_URL": "http://127.0.0.1:1/ambient",
    "MISTRAL_SERVER": "ambient",
    "MISTRAL_SA_TOKEN_PATH": "/ambient/token",
    "http_proxy": "http://127.0.0.1:1",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "all_proxy": "http://127.0.0.1:1",
}


@pytest.fixture
async def capture() -> AsyncIterator[Capture]:
    async with capturing() as running:
        yield running


def base_url(capture: Capture, kind: str) -> str:
    return capture.url.removesuffix("/v1") if kind == "mistral" else capture.url


@pytest.mark.parametrize("kind", ["openai", "mistral", "openai_compatible"])
async def test_nothing_of_the_environment_reaches_a_request(
    capture: Capture, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    for name, value in AMBIENT.items():
        monkeypatch.setenv(name, value)
    async with gateway(base_url(capture, kind), kind=kind) as backend:
        await backend.chat(ask("Hi"), new_call())
        unary = capture.only()
        await our_stream(backend, ask("Hi"))
        stream = capture.only()
    for sent in (unary, stream):
        assert "ambient" not in f"{sent}".lower()
        assert (sent.method, sent.path) == ("POST", "/v1/chat/completions")
        assert sent.headers["authorization"] == "Bearer sk-test"
        assert sent.headers["user-agent"] == "tokenwire"
        assert not [name for name in sent.headers if name.startswith(("x-", "openai-", "traceparent"))]


async def test_without_a_key_a_compatible_server_gets_none(
    capture: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in AMBIENT.items():
        monkeypatch.setenv(name, value)
    async with gateway(capture.url, kind="openai_compatible", api_key=None) as backend:
        await backend.chat(ask("Hi"), new_call())
    sent = capture.only()
    assert "authorization" not in sent.headers
    assert "ambient" not in f"{sent}".lower()


async def test_extra_headers_and_query_of_a_compatible_server_are_sent_with_each_request(
    capture: Capture,
) -> None:
    extra: dict[str, Any] = {
        "api_key": None,
        "headers": {"api-key": "azure-key", "HTTP-Referer": "https://example.com", "User-Agent": "ours"},
        "query": {"api-version": "2026-01-01", "a b": "c&d/e"},
    }
    async with gateway(capture.url, kind="openai_compatible", **extra) as backend:
        await backend.chat(ask("Hi"), new_call())
        await our_stream(backend, ask("Hi"))
    assert len(capture.sent) == 2
    for sent in capture.sent:
        assert sent.path == "/v1/chat/completions?api-version=2026-01-01&a+b=c%26d%2Fe"
        assert sent.headers["api-key"] == "azure-key"
        assert sent.headers["http-referer"] == "https://example.com"
        assert sent.headers["user-agent"] == "ours"
        assert "authorization" not in sent.headers


async def test_a_callers_key_takes_the_place_of_the_operators_however_that_is_spelt(capture: Capture) -> None:
    headers = {"AUTHORIZATION": "Basic b3Vycw=="}
    async with gateway(capture.url, kind="openai_compatible", api_key=None, headers=headers) as backend:
        call = new_call()
        call.provider_key = Secret("sk-callers")
        await backend.chat(ask("Hi"), call)
        assert capture.only().headers["authorization"] == "Bearer sk-callers"
        await backend.chat(ask("Hi"), new_call())
    assert capture.only().headers["authorization"] == "Basic b3Vycw=="


def test_an_extra_header_takes_the_place_of_ours_in_any_case() -> None:
    """None is sent twice."""
    provider = compatible(headers={"USER-AGENT": Secret("theirs"), "Accept": Secret("*/*")})
    headers = CompatibleIdentity(provider).headers()
    assert headers["user-agent"] == "theirs"
    assert headers["accept"] == "*/*"
    assert {name.lower() for name in headers} == set(headers)


def compatible(**fields: Any) -> CompatibleProvider:
    return CompatibleProvider(kind="openai_compatible", base_url="http://127.0.0.1:1/v1", **fields)


class Rotating:
    """A key in a file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "key"
        self.write("sk-first")
        self.secret = Secret.parse(f"file:{self.path}", {})

    def write(self, key: str) -> None:
        self.path.write_text(key, encoding="utf-8")


@pytest.fixture
def rotating(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rotating:
    monkeypatch.setattr(Secret, "INTERVAL", 0)
    return Rotating(tmp_path)


def test_a_key_that_was_rotated_in_its_file_is_taken_up(rotating: Rotating) -> None:
    identities: list[OpenAIIdentity | MistralIdentity | CompatibleIdentity] = [
        OpenAIIdentity(OpenAIProvider(kind="openai", api_key=rotating.secret)),
        MistralIdentity(MistralProvider(kind="mistral", api_key=rotating.secret)),
        CompatibleIdentity(compatible(api_key=rotating.secret)),
    ]

    def sent() -> set[str]:
        return {identity.headers()["authorization"] for identity in identities}

    assert sent() == {"Bearer sk-first"}
    rotating.write("sk-second-key")
    assert sent() == {"Bearer sk-second-key"}
    rotating.write("no\nkey")
    assert sent() == {"Bearer sk-second-key"}
    rotating.path.unlink()
    assert sent() == {"Bearer sk-second-key"}


def test_an_extra_header_follows_its_file_too(rotating: Rotating) -> None:
    identity = CompatibleIdentity(compatible(headers={"api-key": rotating.secret}))
    assert identity.headers()["api-key"] == "sk-first"
    rotating.write("sk-second-key")
    assert identity.headers()["api-key"] == "sk-second-key"


def test_the_sdks_client_has_the_rotated_key_too(rotating: Rotating) -> None:
    identity = OpenAIIdentity(OpenAIProvider(kind="openai", api_key=rotating.secret))
    rotating.write("sk-second-key")
    identity.headers()
    assert identity.client.api_key == "sk-second-key"


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("https://api.mistral.ai", "https://api.mistral.ai/v1"),
        ("https://api.mistral.ai/", "https://api.mistral.ai/v1"),
        ("http://127.0.0.1:8080/mistral", "http://127.0.0.1:8080/mistral/v1"),
    ],
)
def test_mistrals_base_url_is_its_root_and_v1(given: str, found: str) -> None:
    settings = MistralProvider.model_validate({"kind": "mistral", "api_key": "k", "base_url": given})
    assert MistralIdentity(settings).base_url == found


def test_mistral_is_asked_at_its_own_place_where_settings_name_none() -> None:
    settings = MistralProvider.model_validate({"kind": "mistral", "api_key": "k"})
    assert MistralIdentity(settings).base_url == "https://api.mistral.ai/v1"


def test_openai_knows_organization_and_project_where_they_are_set() -> None:
    settings = OpenAIProvider(kind="openai", api_key=Secret("k"), organization="org-1", project="proj-1")
    headers = OpenAIIdentity(settings).headers()
    assert (headers["openai-organization"], headers["openai-project"]) == ("org-1", "proj-1")


def test_no_identity_shows_its_key() -> None:
    key = Secret("sk-canary")
    for identity in (
        OpenAIIdentity(OpenAIProvider(kind="openai", api_key=key)),
        MistralIdentity(MistralProvider(kind="mistral", api_key=key)),
        CompatibleIdentity(compatible(api_key=key)),
    ):
        assert "canary" not in repr(identity)


def test_a_callers_own_key_leaves_none_of_ours_in_any_header() -> None:
    headers = {"Api-Key": Secret("sk-ours"), "x-team": Secret("search")}
    sent = CompatibleIdentity(compatible(api_key=None, headers=headers)).headers(Secret("sk-theirs"))
    assert sent["api-key"] == "sk-theirs"
    assert sent["authorization"] == "Bearer sk-theirs"
    assert sent["x-team"] == "search"
    assert "sk-ours" not in sent.values()


@pytest.mark.parametrize(
    "make",
    [
        lambda: OpenAIIdentity(OpenAIProvider(kind="openai", api_key=Secret("sk-ours"))),
        lambda: MistralIdentity(MistralProvider(kind="mistral", api_key=Secret("sk-ours"))),
        lambda: CompatibleIdentity(compatible()),
    ],
    ids=["openai", "mistral", "compatible"],
)
def test_a_callers_own_key_serves_one_request_alone(
    make: Callable[[], OpenAIIdentity | MistralIdentity | CompatibleIdentity],
) -> None:
    identity = make()
    before = dict(identity.headers())
    assert identity.headers(Secret("sk-theirs"))["authorization"] == "Bearer sk-theirs"
    assert dict(identity.headers()) == before
