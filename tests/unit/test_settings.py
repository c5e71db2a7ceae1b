"""Where settings come from, which wins, and what each mistake says."""

import copy
import json
import os
import pickle
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from pydantic import ValidationError

from tokenwire_server import environment, secret
from tokenwire_server.settings import (
    KEYS,
    Provider,
    Secret,
    Settings,
    SettingsError,
    address,
    describe,
    is_loopback,
    load,
    scrub,
)

ROOT = Path(__file__).parents[2]
KEY = "sk-canary-0123456789"
OPENAI = f'[providers.openai]\nkind = "openai"\napi_key = "{KEY}"\n'


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


# Sources


def test_without_any_source_all_is_default(tmp_path: Path) -> None:
    found = load(None, {}, tmp_path)
    assert found == Settings()
    assert found.server.listen == ("127.0.0.1:50051",)
    assert found.metrics.listen == "127.0.0.1:9464"
    assert found.defaults.unsupported_parameters == "drop_sampling"
    assert not found.providers
    assert not found.production


def test_a_key_in_the_environment_makes_the_provider(place: Place) -> None:
    provider = place.load(environ={"OPENAI_API_KEY": KEY}).providers["openai"]
    assert provider.api_key.reveal() == KEY
    assert provider.base_url == "https://api.openai.com/v1"
    assert provider.timeouts.model_dump() == {"connect": 5, "first_token": 60, "idle": 60, "total": 600}


def test_every_plain_variable_fills_its_key(place: Place) -> None:
    found = place.load(
        environ={
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": "https://eu.api.openai.com/v1/",
            "OPENAI_ORG": "org-1",
            "OPENAI_PROJECT": "proj-1",
            "OPENAI_MODEL": "gpt-4o",
            "OPENAI_MAX_TOKENS": "2000",
            "OPENAI_TEMPERATURE": "0.3",
            "DEFAULT_MODEL": "gpt-3.5-turbo",
            "DEFAULT_MAX_TOKENS": "1024",
            "DEFAULT_TEMPERATURE": "0.7",
            "ENVIRONMENT": "production",
        }
    )
    provider = found.providers["openai"]
    assert provider.base_url == "https://eu.api.openai.com/v1"
    assert (provider.organization, provider.project) == ("org-1", "proj-1")
    assert (provider.default_model, provider.default_max_output_tokens) == ("gpt-4o", 2000)
    assert provider.default_temperature == 0.3
    assert found.defaults.model_dump() == {
        "model": "gpt-3.5-turbo",
        "unsupported_parameters": "drop_sampling",
        "max_output_tokens": 1024,
        "temperature": 0.7,
    }
    assert found.production


@pytest.mark.parametrize(
    ("strong", "weak", "key"),
    [
        ("OPENAI_ORG", "OPENAI_ORG_ID", "organization"),
        ("OPENAI_PROJECT", "OPENAI_PROJECT_ID", "project"),
        ("OPENAI_MODEL", "OPENAI_DEFAULT_MODEL", "default_model"),
    ],
)
def test_the_first_of_a_keys_plain_variables_wins(place: Place, strong: str, weak: str, key: str) -> None:
    both = {"OPENAI_API_KEY": KEY, strong: "strong", weak: "weak"}
    assert getattr(place.load(environ=both).providers["openai"], key) == "strong"
    # Set to nothing is not set.
    assert getattr(place.load(environ=both | {strong: ""}).providers["openai"], key) == "weak"


def test_plain_provider_variables_stay_out_of_a_provider_of_the_file(place: Place) -> None:
    provider = place.load(
        OPENAI, {"OPENAI_API_KEY": "other", "OPENAI_BASE_URL": "https://elsewhere.example"}
    ).providers["openai"]
    assert provider.api_key.reveal() == KEY
    assert provider.base_url == "https://api.openai.com/v1"


def test_plain_provider_variables_without_a_key_make_nothing(place: Place) -> None:
    assert not place.load(environ={"OPENAI_BASE_URL": "https://elsewhere.example"}).providers


def test_each_source_wins_over_the_weaker_ones(place: Place) -> None:
    name = "TOKENWIRE_SERVER__DRAIN_SECONDS"
    toml, dotenv = "server.drain_seconds = 2", f"{name}=3"
    assert place.load(toml).server.drain_seconds == 2
    assert place.load(toml, dotenv=dotenv).server.drain_seconds == 3
    assert place.load(toml, {name: "4"}, dotenv).server.drain_seconds == 4
    assert place.load(toml, {name: ""}, dotenv).server.drain_seconds == 3
    found = place.load(toml, {name: "4"}, dotenv, {"server": {"drain_seconds": 5}})
    assert found.server.drain_seconds == 5
    assert place.load('environment = "x"', {"ENVIRONMENT": "y"}).environment == "x"


def test_sources_are_merged_key_by_key(place: Place) -> None:
    found = place.load(
        OPENAI + "timeouts.connect = 1\n",
        {"TOKENWIRE_PROVIDERS__OPENAI__TIMEOUTS__TOTAL": "9", "TOKENWIRE_SERVER__REFLECTION": "false"},
    )
    assert found.providers["openai"].timeouts.connect == 1
    assert found.providers["openai"].timeouts.total == 9
    assert not found.server.reflection


@pytest.mark.parametrize(
    "text",
    ["127.0.0.1:1,[::1]:2, unix:/run/t.sock", '["127.0.0.1:1", "[::1]:2", "unix:/run/t.sock"]'],
)
def test_a_list_in_a_variable_is_separated_by_commas_or_json(place: Place, text: str) -> None:
    found = place.load(environ={"TOKENWIRE_SERVER__LISTEN": text})
    assert found.server.listen == ("127.0.0.1:1", "[::1]:2", "unix:/run/t.sock")


def test_a_list_of_one_bracketed_address_is_no_json(place: Place) -> None:
    assert place.load(environ={"TOKENWIRE_SERVER__LISTEN": "[::1]:2"}).server.listen == ("[::1]:2",)


def test_the_file_is_the_argument_else_the_variable_else_the_one_here(place: Place) -> None:
    place.write("tokenwire.toml", 'environment = "here"')
    place.write("b.toml", 'environment = "variable"')
    place.write("c.toml", 'environment = "argument"')
    variable = {"TOKENWIRE_CONFIG": "b.toml"}
    assert load(None, {}, place.path).environment == "here"
    assert load(None, variable, place.path).environment == "variable"
    assert load(Path("c.toml"), variable, place.path).environment == "argument"


def test_dotenv_takes_export_quotes_and_comments(place: Place) -> None:
    dotenv = f"""
# a comment
export OPENAI_API_KEY='{KEY}'  # the key
OPENAI_MODEL="gpt-4o"
OPENAI_ORG = org-1 # mine
OPENAI_PROJECT=
"""
    provider = place.load(dotenv=dotenv).providers["openai"]
    assert provider.api_key.reveal() == KEY
    assert (provider.default_model, provider.organization, provider.project) == ("gpt-4o", "org-1", "")


def test_metrics_are_turned_off_by_a_word_because_an_empty_variable_is_unset(place: Place) -> None:
    assert place.load('metrics.listen = ""').metrics.listen == ""
    assert place.load(environ={"TOKENWIRE_METRICS__LISTEN": "off"}).metrics.listen == ""


def test_variables_of_other_parts_are_no_mistake(place: Place) -> None:
    names = ("TOKENWIRE_TARGET", "TOKENWIRE_TOKEN", "TOKENWIRE_RECORDINGS")
    assert place.load(environ=dict.fromkeys(names, "x")) == Settings()


def test_loading_leaves_the_environment_as_it_was(place: Place) -> None:
    before = dict(os.environ)
    place.load(dotenv=f"OPENAI_API_KEY={KEY}")
    assert dict(os.environ) == before


# Mistakes


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
            "auth.mode (tokenwire.toml): must be 'none'",
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
    assert found == ['providers.openai.kind (environment): is missing; write kind = "openai"']


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
            'if a mesh or a firewall protects it, set auth.mode = "none"; else listen on 127.0.0.1'
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
        ("https://a\\@b/", "is no http or https URL"),
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


# Secrets


def test_a_secret_comes_from_a_variable_or_a_file(place: Place) -> None:
    path = place.write("key", f"{KEY}\n")

    def key(text: str, environ: Mapping[str, str], dotenv: str = "") -> str:
        toml = OPENAI.replace(KEY, text)
        return place.load(toml, environ, dotenv).providers["openai"].api_key.reveal()

    assert key("env:MY_KEY", {"MY_KEY": KEY}) == KEY
    assert key("env:MY_KEY", {}, f"MY_KEY={KEY}") == KEY
    assert key("env:MY_KEY", {"MY_KEY": KEY}, "MY_KEY=other") == KEY
    assert key(f"file:{path}", {}) == KEY
    assert key("env:MY_KEY", {"MY_KEY": f"file:{path}"}) == KEY
    assert place.load(environ={"OPENAI_API_KEY": f"file:{path}"}).providers["openai"].api_key.reveal() == KEY


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty; give it a value"),
        ("  ", "is empty; give it a value"),
        (f"{KEY}\\nx", "has a line break, an outer space, or a character that no key has; copy it again"),
        (f" {KEY}", "has a line break, an outer space, or a character that no key has; copy it again"),
        (f"{KEY}\\u20ac", "has a line break, an outer space, or a character that no key has; copy it again"),
        (f"{KEY}\\u0007", "has a line break, an outer space, or a character that no key has; copy it again"),
        (KEY * 1000, "is longer than 16384 characters; check that it is the right one"),
        ("env:MY_KEY", "names the variable MY_KEY, which is not set; set it"),
        (f"env:{KEY}", "has no variable's name after env:; write env:NAME"),
        (f"file:{KEY}", "has no absolute path after file:; write file:/path"),
        (
            "file:/gone/key",
            "names /gone/key, which cannot be read (No such file or directory); check the file",
        ),
        ("file:/", "names /, which cannot be read (no regular file); check the file"),
        ("file:/dev/zero", "names /dev/zero, which cannot be read (no regular file); check the file"),
    ],
)
def test_a_bad_secret_is_a_mistake_that_does_not_show_it(place: Place, text: str, says: str) -> None:
    assert place.mistakes(OPENAI.replace(KEY, text)) == [f"providers.openai.api_key (tokenwire.toml): {says}"]


def test_a_secret_that_is_no_text_is_a_mistake(place: Place) -> None:
    (found,) = place.mistakes('[providers.openai]\nkind = "openai"\napi_key = 987654321')
    assert "987654321" not in found
    assert found.startswith("providers.openai.api_key (tokenwire.toml): must be a text; write ")


@pytest.mark.parametrize("content", [b"", b"\n", b"a\nb", b"\xff\xfe", b"a\x00b", b"\xef\xbb\xbfsk"])
def test_a_bad_secret_file_is_a_mistake(place: Place, content: bytes) -> None:
    path = place.path / "key"
    path.write_bytes(content)
    (found,) = place.mistakes(OPENAI.replace(KEY, f"file:{path}"))
    assert found.startswith("providers.openai.api_key (tokenwire.toml): ")


class Clock:
    """Stands in for `monotonic`."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(secret, "monotonic", clock)
    return clock


def test_a_secret_follows_its_file_at_most_once_a_second(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "key"
    path.write_text("first\n")
    key = Secret.parse(f"file:{path}", {})
    path.write_text("second\r\n")
    clock.now = 0.9
    assert key.reveal() == "first"
    clock.now = 1.0
    assert key.reveal() == "second"


def test_a_secret_follows_a_file_that_is_replaced_by_one_of_the_same_size_and_time(
    tmp_path: Path, clock: Clock
) -> None:
    path, new = tmp_path / "key", tmp_path / "new"
    path.write_text("first")
    new.write_text("other")
    for file in (path, new):
        os.utime(file, (1, 1))
    key = Secret.parse(f"file:{path}", {})
    new.replace(path)
    clock.now = 1.0
    assert key.reveal() == "other"


def test_a_file_that_goes_bad_keeps_the_last_good_secret_and_is_logged_once(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "key"
    path.write_text("first")
    key = Secret.parse(f"file:{path}", {})
    path.write_text("sec\nond")
    for clock.now in (1.0, 2.0):
        assert key.reveal() == "first"
    path.unlink()
    for clock.now in (3.0, 4.0):
        assert key.reveal() == "first"
    assert [record.getMessage() for record in caplog.records] == [
        f"the secret in {path} cannot be used; keeping the last good one"
    ] * 2
    path.write_text("third")
    clock.now = 5.0
    assert key.reveal() == "third"


def test_a_secret_shows_in_nothing(place: Place) -> None:
    found = place.load(OPENAI)
    key = found.providers["openai"].api_key
    shown = [
        *(repr(key), str(key), f"{key}", f"{key!s:>40}", f"{[key]}"),
        *(repr(found), str(found), describe(found)),
        *(str(found.model_dump()), found.model_dump_json(), str(dict(found.providers["openai"]))),
        json.dumps(Settings.model_json_schema()),
    ]
    assert not [text for text in shown if KEY in text]
    assert "api_key set" in describe(found)


@pytest.mark.parametrize("leak", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_secret_cannot_be_pickled_or_copied(leak: object) -> None:
    assert callable(leak)
    with pytest.raises(TypeError, match="a secret cannot be"):
        leak(Secret(KEY))


def test_a_provider_is_made_in_code_as_well() -> None:
    provider = Provider(kind="openai", api_key=Secret(KEY), base_url="http://127.0.0.1:1/v1")
    assert provider.api_key.reveal() == KEY


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().server.reflection = False


# Around loading


def test_scrub_takes_what_sdks_read_and_nothing_else() -> None:
    kept = {"PATH": "/bin", "OPENAI": "x", "TOKENWIRE_SERVER__LISTEN": "x", "DEFAULT_MODEL": "x"}
    gone = (
        "OPENAI_API_KEY",
        "OPENAI_CUSTOM_HEADERS",
        "OPENAI_LOG",
        "MISTRAL_API_KEY",
        "AZURE_OPENAI_ENDPOINT",
    )
    environ = kept | dict.fromkeys(gone, "x")
    scrub(environ)
    assert environ == kept


def test_describe_tells_what_would_be_served(place: Place) -> None:
    text = describe(place.load(OPENAI + 'default_model = "gpt-4o"\n[defaults]\ntemperature = 0.7'))
    assert re.search(r"^listeners +127\.0\.0\.1:50051$", text, re.MULTILINE)
    assert re.search(r"^metrics +127\.0\.0\.1:9464$", text, re.MULTILINE)
    assert re.search(r"^defaults .*temperature 0\.7$", text, re.MULTILINE)
    assert re.search(
        r"^provider openai +kind openai, api_key set, .*default_model gpt-4o", text, re.MULTILINE
    )


def test_address_splits_host_and_port() -> None:
    assert address("Localhost:50051") == ("localhost", 50051)
    assert address("[0::1]:0") == ("::1", 0)
    assert is_loopback(address("[::1]:1")[0])
    assert not is_loopback("127.0.0.1.example")


def test_the_page_and_the_example_name_every_setting_and_variable() -> None:
    page = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    rows = [*environment.PLAIN.values()]
    rows += [names for fields in environment.PLAIN_PROVIDERS.values() for names in fields.values()]
    assert [key for key in KEYS if f"| `{key}` |" not in page] == []
    assert [name for names in rows for name in names if f"`{name}`" not in page] == []
    assert [name for names in rows for name in names if name not in example] == []


def test_the_example_is_all_comments_and_loads_when_they_are_taken_off(place: Place) -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == []
    dotenv = "\n".join(line[1:] for line in lines if re.match(r"#[A-Z_]+=", line))
    place.write("elsewhere.toml", "")
    found = place.load(dotenv=dotenv.replace("/etc/tokenwire/tokenwire.toml", "elsewhere.toml"))
    assert found.defaults.max_output_tokens == 1024
    assert found.providers["openai"].default_temperature == 0.7


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
