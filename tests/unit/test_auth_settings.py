"""The table `auth` of the settings, as far as tokens go."""

import json

import pytest
from unit.settings_place import OPENAI, Place, place

from tokenwire_server.auth import Tokens, hash_of
from tokenwire_server.settings import Auth, Settings, describe

__all__ = ["place"]  # a fixture

A, B = "tw_canary-a-0123456789abcdef", "tw_canary-b-0123456789abcdef"
TOKEN_MODE = 'auth.mode = "token"\n'


def whose(auth: Auth, token: str) -> str | None:
    return Tokens(auth.tokens, auth.tokens_file).caller(token)


def test_a_name_has_one_hash_or_a_list_of_them(place: Place) -> None:
    auth = place.load(f'{TOKEN_MODE}[auth.tokens]\nweb = "{hash_of(A)}"\nb = ["{hash_of(B)}"]\n').auth
    assert auth.mode == "token"
    assert (whose(auth, A), whose(auth, B), whose(auth, "x")) == ("web", "b", None)


@pytest.mark.parametrize(
    "environ",
    [
        {"TOKENWIRE_AUTH__TOKENS__WEB": hash_of(A), "TOKENWIRE_AUTH__TOKENS__B": hash_of(B)},
        {"TOKENWIRE_AUTH__TOKENS": json.dumps({"web": hash_of(A), "b": [hash_of(B)]})},
    ],
)
def test_variables_name_tokens_too(place: Place, environ: dict[str, str]) -> None:
    auth = place.load("", {"TOKENWIRE_AUTH__MODE": "token", **environ}).auth
    assert (whose(auth, A), whose(auth, B)) == ("web", "b")


def test_a_variable_may_list_several_hashes(place: Place) -> None:
    both = f"{hash_of(A)}, {hash_of(B)}"
    auth = place.load(TOKEN_MODE, {"TOKENWIRE_AUTH__TOKENS__WEB": both}).auth
    assert (whose(auth, A), whose(auth, B)) == ("web", "web")


def test_a_file_names_tokens(place: Place) -> None:
    path = place.write("tokens", f"web {hash_of(A)}\n")
    assert whose(place.load(f'{TOKEN_MODE}auth.tokens_file = "{path}"').auth, A) == "web"


def test_the_mode_token_needs_a_token(place: Place) -> None:
    text = (
        'is "token", and there is no token that could call; '
        "make one with `tokenwire token new NAME`, and add the line that it prints"
    )
    assert place.mistakes(TOKEN_MODE) == [f"auth.mode (tokenwire.toml): {text}"]
    assert place.mistakes(environ={"TOKENWIRE_AUTH__MODE": "token"}) == [
        f"TOKENWIRE_AUTH__MODE (environment): {text}"
    ]
    path = place.write("tokens", "# nobody yet\n")
    assert place.mistakes(f'{TOKEN_MODE}auth.tokens_file = "{path}"') == [
        f"auth.mode (tokenwire.toml): {text}"
    ]


@pytest.mark.parametrize("mode", ["", 'auth.mode = "none"\n'])
def test_tokens_that_nobody_would_ask_for_are_a_mistake(place: Place, mode: str) -> None:
    text = 'counts only with auth.mode = "token"; set that, or remove it'
    path = place.write("tokens", "")
    assert place.mistakes(f'{mode}auth.tokens.web = "{hash_of(A)}"') == [
        f"auth.tokens (tokenwire.toml): {text}"
    ]
    assert place.mistakes(f'{mode}auth.tokens_file = "{path}"') == [
        f"auth.tokens_file (tokenwire.toml): {text}"
    ]


def test_other_machines_may_call_with_tokens(place: Place) -> None:
    toml = f'server.listen = ["0.0.0.0:1"]\n{TOKEN_MODE}auth.tokens.web = "{hash_of(A)}"'
    assert place.load(toml).server.listen == ("0.0.0.0:1",)
    (found,) = place.mistakes(toml + "\nauth.provider_keys = true")
    assert "lets provider keys cross the network unencrypted" in found


@pytest.mark.parametrize(
    "table",
    [
        f'tokens = "{A}"',
        "tokens = 3",
        f'tokens = ["{A}"]',
        f'tokens.web = "{A}"',
        "tokens.web = 3",
        "tokens.web = []",
        f'tokens.web = ["{hash_of(A)}", 3]',
        f'tokens.{A} = "{hash_of(A)}"',
        f'tokens.web = {{ {A} = "{A}" }}',
        f'tokens_file = "{A}"',
        "tokens_file = 3",
        'tokens_file = "/gone/tokens"',
    ],
)
def test_what_is_no_token_table_or_file_is_a_mistake_that_shows_no_token(place: Place, table: str) -> None:
    (found,) = place.mistakes(f'[auth]\nmode = "token"\n{table}\n')
    assert found.startswith("auth.tokens")
    assert "; " in found
    assert "canary" not in found


def test_a_mistake_in_a_variable_names_the_variable(place: Place) -> None:
    (found,) = place.mistakes(TOKEN_MODE, {"TOKENWIRE_AUTH__TOKENS__WEB": A})
    assert found.startswith("TOKENWIRE_AUTH__TOKENS__WEB (environment): has no hash for web; ")
    assert A not in found


def test_nothing_that_shows_settings_shows_more_than_names(place: Place) -> None:
    path = place.write("tokens", f"batch {hash_of(B)}\n")
    auth = f'{TOKEN_MODE}auth.tokens_file = "{path}"\nauth.tokens.web = "{hash_of(A)}"\n'
    found = place.load(auth + OPENAI)
    assert "auth               token, callers batch web\n" in describe(found)
    shown = [describe(found), found.model_dump_json(), str(found.model_dump())]
    assert not [
        text for text in shown if "canary" in text or hash_of(A)[7:] in text or hash_of(B)[7:] in text
    ]
    assert json.loads(found.model_dump_json())["auth"]["tokens_file"] == str(path)
    assert Settings.model_json_schema()
