"""What each mistake in the settings says."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from unit.settings_place import KEY, OPENAI, Place, place

from tokenwire_server import environment
from tokenwire_server.settings import (
    KEYS,
    Settings,
    SettingsError,
    load,
)

__all__ = ["place"]  # a fixture


def test_all_mistakes_are_told_at_once(place: Place) -> None:
    found = place.mistakes(
        'server.listn = "x"\nserver.max_parts = 0\nauth.mode = "magic"\nproviders.openai.kind = "openai"\n',
        {"TOKENWIRE_DEFAULTS__TEMPERATURE": "hot", "TOKENWIRE_SERVER__LISTENN": "x"},
        "NONSENSE\n",
    )
    assert sorted(found) == sorted(
        [
            ".env:1: is not NAME=VALUE; write that, or start the line with #",
            "server.listn (tokenwire.toml): is no setting; did you mean server.listen?",
            "server.max_parts (tokenwire.toml): must be greater than 0; the default is 1024",
            "auth.mode (tokenwire.toml): must be 'none' or 'token'",
            (
                "providers.openai.api_key (tokenwire.toml): is missing; "
                'write api_key = "env:NAME", "file:/path" or the key itself'
            ),
            (
                "TOKENWIRE_DEFAULTS__TEMPERATURE (environment): must be a valid number, "
                "unable to parse string as a number"
            ),
            "TOKENWIRE_SERVER__LISTENN (environment): is no setting; did you mean TOKENWIRE_SERVER__LISTEN?",
        ]
    )


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("TOKENWIRE_LISTEN", "did you mean TOKENWIRE_SERVER__LISTEN?"),
        ("TOKENWIRE_SERVR__LISTEN", "did you mean TOKENWIRE_SERVER__LISTEN?"),
        ("TOKENWIRE_server__listen", "did you mean TOKENWIRE_SERVER__LISTEN?"),
        ("TOKENWIRE_AUTH_MODE", "did you mean TOKENWIRE_AUTH__MODE?"),
        ("TOKENWIRE_XYZZY", "remove it"),
        ("TOKENWIRE_", "remove it"),
    ],
)
def test_an_unknown_variable_is_a_mistake(place: Place, name: str, end: str) -> None:
    assert place.mistakes(environ={name: "x"}) == [f"{name} (environment): is no setting; {end}"]
    assert place.mistakes(dotenv=f"{name}=x") == [f"{name} (.env): is no setting; {end}"]


def test_an_unknown_key_of_a_provider_is_a_mistake(place: Place) -> None:
    assert place.mistakes(OPENAI + "timeouts.frist_token = 3") == [
        (
            "providers.openai.timeouts.frist_token (tokenwire.toml): is no setting; "
            "did you mean providers.openai.timeouts.first_token?"
        )
    ]
    name = "TOKENWIRE_PROVIDERS__OPENAI__BASEURL"
    assert place.mistakes(OPENAI, {name: "x"}) == [
        f"{name} (environment): is no setting; did you mean TOKENWIRE_PROVIDERS__OPENAI__BASE_URL?"
    ]


def test_a_value_in_the_place_of_a_table_is_a_mistake(place: Place) -> None:
    text = "is a table, not a value; set the keys in it"
    assert place.mistakes("server = 3") == [f"server (tokenwire.toml): {text}"]
    both = {"TOKENWIRE_SERVER": "x", "TOKENWIRE_SERVER__LISTEN": "127.0.0.1:1"}
    assert place.mistakes(environ=both) == [f"TOKENWIRE_SERVER (environment): {text}"]


def test_what_is_missing_is_named_by_its_key_though_a_variable_made_the_table(place: Place) -> None:
    found = place.mistakes(environ={"TOKENWIRE_PROVIDERS__OPENAI__API_KEY": KEY})
    assert found == [
        (
            "providers.openai.kind (environment): is missing; "
            'write kind = "openai", "mistral" or "openai_compatible"'
        )
    ]


@pytest.mark.parametrize(
    ("toml", "line"),
    [("a = 1\nb =\n", 2), ("a = 1\n[x\n", 2), ('a = "\n', 1), ("a = 1\n\na = 2", 3)],
)
def test_broken_toml_is_named_by_file_and_line(place: Place, toml: str, line: int) -> None:
    (found,) = place.mistakes(toml)
    assert re.fullmatch(rf"tokenwire\.toml:{line}: is not TOML \(.+\); correct the syntax there", found)


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(Path("gone.toml"), {}, tmp_path)
    expected = "gone.toml: cannot be read (No such file or directory); check the path and its permissions"
    assert str(caught.value) == expected
    with pytest.raises(SettingsError, match=r"^gone\.toml: cannot be read"):
        load(None, {"TOKENWIRE_CONFIG": "gone.toml"}, tmp_path)


@pytest.mark.parametrize("name", [".env", "tokenwire.toml"])
def test_a_directory_in_the_place_of_a_file_is_said(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(SettingsError) as caught:
        load(None, {}, tmp_path)
    assert str(caught.value) == f"{name}: is a directory; put a text file in its place, or remove it"


@pytest.mark.parametrize("name", [".env", "tokenwire.toml"])
def test_a_file_that_is_no_text_is_said(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"a = '\xff'")
    with pytest.raises(SettingsError) as caught:
        load(None, {}, tmp_path)
    assert str(caught.value) == f"{name}: is not UTF-8 text; save it as UTF-8"


@pytest.mark.parametrize(
    ("dotenv", "line"),
    [
        ("\n\nFOO\n", 3),
        ("A=1\r\nB=2\r\n=3\r\n", 3),
        ("A=1\nB='x\n", 2),
        ("1A=2", 1),
        ("A-B=2", 1),
        ("A=1\n\n$(x)", 3),
    ],
)
def test_a_bad_line_of_dotenv_is_named(place: Place, dotenv: str, line: int) -> None:
    text = "is not NAME=VALUE; write that, or start the line with #"
    assert place.mistakes(dotenv=dotenv) == [f".env:{line}: {text}"]


@pytest.mark.parametrize(
    "listener",
    ["", "localhost", ":50051", "127.0.0.1:", "127.0.0.1:65536", "::1:50051", "[::1]", "[::g]:1", "*:1",
     "a b:1", "unix:relative", "unix:", "http://127.0.0.1:1", "127.0.0.1:\uff11"],
)  # fmt: skip
def test_a_listener_that_is_no_address_is_a_mistake(place: Place, listener: str) -> None:
    (found,) = place.mistakes(f"server.listen = [{json.dumps(listener)}]")
    assert found.startswith("server.listen (tokenwire.toml): ")
    assert "; write " in found


@pytest.mark.parametrize(
    "twice", [["127.0.0.1:1", "127.0.0.1:01"], ["[::1]:1", "[0::1]:1"], ["unix:/a", "unix:/a"]]
)
def test_a_listener_twice_is_a_mistake(place: Place, twice: list[str]) -> None:
    expected = f"server.listen (tokenwire.toml): has {twice[1]} twice; remove one"
    assert place.mistakes(f"server.listen = {json.dumps(twice)}") == [expected]


def test_free_ports_are_never_the_same(place: Place) -> None:
    free = "127.0.0.1:0"
    found = place.load(f'server.listen = ["{free}", "{free}"]\nmetrics.listen = "{free}"')
    assert found.server.listen == (free, free)


@pytest.mark.parametrize(
    "listener", ["0.0.0.0:50051", "[::]:50051", "10.0.0.1:50051", "gateway.example:50051"]
)
def test_a_listener_for_other_machines_needs_a_word_about_authentication(place: Place, listener: str) -> None:
    toml = f'server.listen = ["127.0.0.1:1", "{listener}"]\n'
    assert place.mistakes(toml) == [
        (
            f"server.listen (tokenwire.toml): lets other machines in at {listener} without authentication; "
            'set auth.mode = "token", or "none" behind a mesh or a firewall; else listen on 127.0.0.1'
        )
    ]
    assert place.load(toml + 'auth.mode = "none"').server.listen[1] == listener


@pytest.mark.parametrize("listener", ["127.8.9.10:1", "[::1]:1", "LocalHost:1", "unix:/run/t.sock"])
def test_a_listener_for_this_machine_needs_none(place: Place, listener: str) -> None:
    assert place.load(f'server.listen = ["{listener}"]').auth.mode is None


def test_rules_over_two_tables_are_checked_beside_mistakes_elsewhere(place: Place) -> None:
    found = place.mistakes('server.listen = ["0.0.0.0:1"]\ndefaults.temperature = 3\n')
    assert [line.partition(" (")[0] for line in found] == ["defaults.temperature", "server.listen"]
    # No complaint that rests on the default of a table that is itself wrong.
    assert len(place.mistakes('server.listen = ["0.0.0.0:1"]\nauth.mode = "magic"\n')) == 1


def test_metrics_do_not_share_an_address_with_calls(place: Place) -> None:
    assert place.mistakes('metrics.listen = "localhost:1"\nserver.listen = ["LOCALHOST:1"]') == [
        "metrics.listen (tokenwire.toml): is localhost:1, where calls are served; choose another port"
    ]


def test_a_default_model_of_a_provider_that_is_not_there_is_a_mistake(place: Place) -> None:
    names = {"OPENAI_API_KEY": KEY, "DEFAULT_MODEL": "mistral/mistral-small-latest"}
    assert place.mistakes(environ=names) == [
        (
            "DEFAULT_MODEL (environment): names the provider mistral, which is not configured; "
            "add [providers.mistral] or name another model"
        )
    ]
    # A prefix that is no kind may be part of a model's own name.
    assert place.load(environ=names | {"DEFAULT_MODEL": "meta-llama/x"}).defaults.model == "meta-llama/x"
    # Without any provider it is the demo's business.
    assert place.load(environ={"DEFAULT_MODEL": "openai/gpt-4o"}).defaults.model == "openai/gpt-4o"


@pytest.mark.parametrize("name", ["", "OpenAI", "-a", "a.b", "a/b", "x" * 33])
def test_a_providers_name_has_a_form(place: Place, name: str) -> None:
    (found,) = place.mistakes(f'[providers.{json.dumps(name)}]\nkind = "openai"\napi_key = "{KEY}"')
    assert found.startswith(f"providers.{name} (tokenwire.toml): is no provider's name; use 1 to 32 of")


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("api.openai.com", "is no http or https URL"),
        ("ftp://api.openai.com", "is no http or https URL"),
        ("https://", "is no http or https URL"),
        ("https://a b/", "is no http or https URL"),
        ("https://a:99999/", "is no http or https URL"),
        ("https://a\\@b/", "has a user name or password in it"),
        ("https://a/\n", "is no http or https URL"),
        (f"https://{KEY}:x@a/v1", "has a user name or password in it"),
        (f"https://a/v1?key={KEY}", "has a query or fragment"),
        (f"https://a/v1#{KEY}", "has a query or fragment"),
        (f"https://a:{KEY}/v1", "is no http or https URL"),
        ("http://api.openai.com/v1", "sends the key unencrypted"),
        ("http://127.0.0.1.example/v1", "sends the key unencrypted"),
        ("http://127.0.0.1@evil.example/v1", "has a user name or password in it"),
    ],
)
def test_a_base_url_that_is_unsafe_is_a_mistake(place: Place, url: str, text: str) -> None:
    (found,) = place.mistakes(environ={"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": url})
    assert found.startswith(f"OPENAI_BASE_URL (environment): {text}")
    assert "; " in found


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/v1", "http://localhost/v1", "http://[::1]:1/v1", "https://a.b"]
)
def test_a_base_url_may_be_https_or_on_this_machine(place: Place, url: str) -> None:
    assert place.load(OPENAI + f'base_url = "{url}"').providers["openai"].base_url == url


@pytest.mark.parametrize("line", ['organization = "a\\nb"', 'project = "é"', 'default_model = " a"'])
def test_what_becomes_a_header_is_one_plain_line(place: Place, line: str) -> None:
    (found,) = place.mistakes(OPENAI + line)
    assert found.endswith("has an outer space, a line break or a character outside ASCII; correct it")


@pytest.mark.parametrize("value", ["nan", "inf", "0", "-1", "86401"])
def test_a_timeout_is_a_positive_number_within_a_day(place: Place, value: str) -> None:
    (found,) = place.mistakes(OPENAI + f"timeouts.total = {value}")
    assert found.startswith("providers.openai.timeouts.total (tokenwire.toml): must be")
    assert found.endswith("; the default is 600.0")


TEXT = st.text(max_size=12)
SURROGATES = st.text(st.characters(categories=["L", "N", "P", "Z", "C"]), max_size=8)
NAMES = st.sampled_from(
    [*map(environment.twin, KEYS), *(n for names in environment.PLAIN.values() for n in names)]
)
VARIABLES = st.dictionaries(
    st.one_of(NAMES, SURROGATES, SURROGATES.map("TOKENWIRE_{}".format), st.just("OPENAI_API_KEY")),
    st.one_of(
        SURROGATES, st.sampled_from(["[]", "1", "[::", "env:", "file:/\0", "file:/dev/null", "0.0.0.0:1"])
    ),
    max_size=5,
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), SURROGATES, st.dates()),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(TEXT, inner, max_size=2)),
    max_leaves=4,
)
TABLES = st.dictionaries(st.one_of(st.sampled_from([*Settings.model_fields]), TEXT), VALUES, max_size=3)


@effort(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(toml=st.binary(max_size=40), dotenv=st.binary(max_size=40), environ=VARIABLES, overrides=TABLES)
def test_no_input_raises_anything_but_settings_error(
    tmp_path: Path, toml: bytes, dotenv: bytes, environ: dict[str, str], overrides: dict[str, object]
) -> None:
    (tmp_path / "tokenwire.toml").write_bytes(toml)
    (tmp_path / ".env").write_bytes(dotenv)
    error = None
    try:
        load(None, environ, tmp_path, overrides)
    except SettingsError as caught:
        error = caught
    assert error is None or len(str(error).splitlines()) == len(error.mistakes) > 0


@pytest.mark.parametrize("toml", ["a = " + "[" * 5000, "a" + ".a" * 5000 + " = 1", "a = " + "9" * 5000])
def test_no_depth_or_length_of_a_file_breaks_loading(place: Place, toml: str) -> None:
    assert place.mistakes(toml)
