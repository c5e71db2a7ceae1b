"""What each kind of provider takes, and whose keys may be used."""

import json

import pytest
from unit.settings_place import KEY, Place, place

from tokenwire_server.settings import CompatibleProvider, MistralProvider, OpenAIProvider, describe

__all__ = ["place"]  # a fixture

MISTRAL = f'[providers.mistral]\nkind = "mistral"\napi_key = "{KEY}"\n'
LOCAL = '[providers.local]\nkind = "openai_compatible"\n'
AT_HOME = LOCAL + 'base_url = "http://127.0.0.1:8080/v1"\n'


def local(place: Place, lines: str) -> CompatibleProvider:
    provider = place.load(AT_HOME + lines).providers["local"]
    assert isinstance(provider, CompatibleProvider)
    return provider


def test_every_plain_variable_of_mistral_fills_its_key(place: Place) -> None:
    strong = {
        "MISTRAL_API_KEY": KEY,
        "MISTRAL_BASE_URL": "https://eu.mistral.example/",
        "MISTRAL_MODEL": "mistral-large-latest",
        "MISTRAL_MAX_TOKENS": "0",
        "MISTRAL_TEMPERATURE": "0.3",
    }
    weak = {
        "MISTRAL_DEFAULT_MODEL": "mistral-small-latest",
        "MISTRAL_DEFAULT_MAX_TOKENS": "7",
        "MISTRAL_DEFAULT_TEMPERATURE": "1",
    }
    provider = place.load(environ=strong | weak).providers["mistral"]
    assert isinstance(provider, MistralProvider)
    assert (provider.api_key.reveal(), provider.base_url) == (KEY, "https://eu.mistral.example")
    assert (provider.default_model, provider.default_max_output_tokens) == ("mistral-large-latest", 0)
    assert provider.default_temperature == 0.3
    provider = place.load(environ={"MISTRAL_API_KEY": KEY} | weak).providers["mistral"]
    assert (provider.default_model, provider.default_max_output_tokens) == ("mistral-small-latest", 7)
    assert provider.default_temperature == 1


def test_two_keys_make_two_providers_and_no_default_model_is_invented(place: Place) -> None:
    found = place.load(environ={"OPENAI_API_KEY": KEY, "MISTRAL_API_KEY": KEY})
    assert [*found.providers] == ["openai", "mistral"]
    assert {provider.default_model for provider in found.providers.values()} == {""}
    assert not found.defaults.model
    assert found.providers["mistral"].base_url == "https://api.mistral.ai"


def test_plain_variables_of_mistral_stay_out_of_a_provider_of_the_file(place: Place) -> None:
    stray = {"MISTRAL_API_KEY": "other", "MISTRAL_BASE_URL": "https://elsewhere.example"}
    provider = place.load(MISTRAL, stray).providers["mistral"]
    assert isinstance(provider, MistralProvider)
    assert (provider.api_key.reveal(), provider.base_url) == (KEY, "https://api.mistral.ai")


def test_mistral_is_named_by_its_server(place: Place) -> None:
    assert place.mistakes(MISTRAL + 'base_url = "https://api.mistral.ai/v1/"') == [
        "providers.mistral.base_url (tokenwire.toml): ends in /v1, which is added to it; leave that out"
    ]


def test_a_compatible_server_needs_a_place_and_no_key(place: Place) -> None:
    provider = local(place, "")
    assert provider.base_url == "http://127.0.0.1:8080/v1"
    assert provider.api_key is None
    assert (provider.headers, provider.query) == ({}, {})
    assert (provider.allow_media_urls, provider.tokens_field) == (False, "max_tokens")
    assert provider.endpoint == "chat"
    assert place.mistakes(LOCAL) == [
        (
            "providers.local.base_url (tokenwire.toml): is missing; "
            'write one such as base_url = "http://127.0.0.1:8080/v1"'
        )
    ]


def test_http_to_other_machines_must_be_allowed(place: Place) -> None:
    far = LOCAL + 'base_url = "http://10.0.0.7/v1"\n'
    assert place.mistakes(far) == [
        (
            "providers.local.base_url (tokenwire.toml): sends prompts and keys unencrypted; "
            "use https, or set allow_plain_http = true"
        )
    ]
    assert place.load(far + "allow_plain_http = true").providers["local"].base_url == "http://10.0.0.7/v1"
    (found,) = place.mistakes(far + 'allow_plain_http = "perhaps"')
    assert found.startswith("providers.local.allow_plain_http (tokenwire.toml): must be a valid boolean")
    for unsafe in (f"https://{KEY}@a/v1", f"https://a/v1?key={KEY}", "ftp://a"):
        (found,) = place.mistakes(LOCAL + f'allow_plain_http = true\nbase_url = "{unsafe}"')
        assert found.startswith("providers.local.base_url (tokenwire.toml): ")


def test_headers_are_secrets_from_anywhere(place: Place) -> None:
    lines = 'headers = { "X-Team" = "search", api-key = "env:MINE" }\nquery = { api-version = "2026-01" }'
    found = place.load(AT_HOME + lines, {"MINE": KEY})
    provider = found.providers["local"]
    assert isinstance(provider, CompatibleProvider)
    assert {name: value.reveal() for name, value in provider.headers.items()} == {
        "X-Team": "search",
        "api-key": KEY,
    }
    assert provider.query == {"api-version": "2026-01"}
    shown = describe(found)
    assert "headers X-Team api-key, query api-version" in shown
    assert not [text for text in (shown, repr(found), found.model_dump_json()) if KEY in text]


def test_headers_come_from_a_variable_as_json(place: Place) -> None:
    name = "TOKENWIRE_PROVIDERS__LOCAL__HEADERS"
    text = json.dumps({"api-key": "env:MINE"})
    provider = place.load(AT_HOME, {name: text, "MINE": KEY}).providers["local"]
    assert isinstance(provider, CompatibleProvider)
    assert provider.headers["api-key"].reveal() == KEY
    assert place.mistakes(AT_HOME, {name: text}) == [
        f"{name} (environment): names the variable MINE, which is not set; set it"
    ]
    assert place.mistakes(AT_HOME, {name: "api-key"}) == [
        f"{name} (environment): is a table, not a value; set the keys in it"
    ]


@pytest.mark.parametrize(
    ("lines", "mistake"),
    [
        ('headers.Host = "x"', ".headers.Host {}: is a header that the gateway sets itself; remove it"),
        (
            'headers.content-length = "1"',
            ".headers.content-length {}: is a header that the gateway sets itself; remove it",
        ),
        ('headers."a b" = "x"', ".headers.a b {}: is no header's name; use letters, digits and -"),
        ('headers."" = "x"', ".headers. {}: is no header's name; use letters, digits and -"),
        ('headers = { A = "x", a = "y" }', ".headers {}: has a twice; remove one"),
        (
            f'api_key = "{KEY}"\nheaders.Authorization = "x"',
            ".headers {}: has authorization, which api_key sends as well; remove one",
        ),
        (
            "headers.a = 1",
            ".headers.a {}: must be a text; write env:NAME, file:/path or the secret in quotes",
        ),
        ('query."" = "x"', ".query. {}: has an empty name in it; give it one"),
        (
            'tokens_field = "tokens"',
            ".tokens_field {}: must be 'max_tokens' or 'max_completion_tokens'; the default is max_tokens",
        ),
        ('organization = "x"', '.organization {}: is no setting of kind "openai_compatible"; remove it'),
        (
            'unsupported_parameters = "x"',
            ".unsupported_parameters {}: must be 'reject', 'drop' or 'drop_sampling'",
        ),
    ],
)
def test_what_a_compatible_server_cannot_have_is_a_mistake(place: Place, lines: str, mistake: str) -> None:
    assert place.mistakes(AT_HOME + lines) == [f"providers.local{mistake.format('(tokenwire.toml)')}"]


def test_an_authorization_of_another_form_stands_in_for_the_key(place: Place) -> None:
    assert local(place, 'headers.authorization = "Basic eDp5"').headers["authorization"].reveal()


@pytest.mark.parametrize("kind", ['"azure"', "3", "[]", f'"{KEY}"'])
def test_an_unknown_kind_is_a_mistake_that_lists_the_kinds(place: Place, kind: str) -> None:
    assert place.mistakes(f"[providers.x]\nkind = {kind}") == [
        'providers.x.kind (tokenwire.toml): must be "openai", "mistral" or "openai_compatible"'
    ]


def test_a_value_in_the_place_of_a_provider_is_a_mistake(place: Place) -> None:
    assert place.mistakes("providers.x = 3") == [
        "providers.x (tokenwire.toml): is a table, not a value; set the keys in it"
    ]


def test_a_provider_has_its_own_way_with_unsupported_parameters(place: Place) -> None:
    found = place.load(AT_HOME + 'unsupported_parameters = "drop"\n' + MISTRAL)
    assert found.providers["local"].unsupported_parameters == "drop"
    assert found.providers["mistral"].unsupported_parameters is None
    assert found.defaults.unsupported_parameters == "drop_sampling"


def test_names_of_providers_are_free(place: Place) -> None:
    found = place.load(MISTRAL.replace("providers.mistral", "providers.openai"))
    assert isinstance(found.providers["openai"], MistralProvider)
    found = place.load(f'[providers.eu]\nkind = "openai"\napi_key = "{KEY}"')
    assert isinstance(found.providers["eu"], OpenAIProvider)


def test_keys_of_callers_must_not_cross_the_network(place: Place) -> None:
    mine = "[auth]\nprovider_keys = true\n"
    assert place.load(mine).auth.provider_keys
    assert place.load(mine + '[server]\nlisten = ["unix:/run/t.sock", "[::1]:1"]').auth.provider_keys
    assert not place.load('auth.mode = "none"\nserver.listen = ["0.0.0.0:1"]').auth.provider_keys
    toml = mine + 'mode = "none"\n[server]\nlisten = ["127.0.0.1:1", "0.0.0.0:2"]'
    text = (
        "lets provider keys cross the network unencrypted to server.listen 0.0.0.0:2; "
        "set auth.provider_keys = false, or in server.listen only 127.0.0.1 and unix:/path"
    )
    assert place.mistakes(toml) == [f"auth.provider_keys (tokenwire.toml): {text}"]
    name = "TOKENWIRE_AUTH__PROVIDER_KEYS"
    assert place.mistakes(toml.replace(mine, "[auth]\n"), {name: "true"}) == [f"{name} (environment): {text}"]
