"""Where settings come from and which source wins."""

import os
import re
from pathlib import Path

import pytest
from unit.settings_place import KEY, OPENAI, Place, openai, place

from tokenwire_server import environment
from tokenwire_server.settings import (
    KEYS,
    PROVIDER_KEYS,
    Settings,
    address,
    describe,
    is_loopback,
    load,
    scrub,
)

__all__ = ["place"]  # a fixture

ROOT = Path(__file__).parents[2]


def test_without_any_source_all_is_default(tmp_path: Path) -> None:
    found = load(None, {}, tmp_path)
    assert found == Settings()
    assert found.server.listen == ("127.0.0.1:50051",)
    assert found.metrics.listen == "127.0.0.1:9464"
    assert found.defaults.unsupported_parameters == "drop_sampling"
    assert not found.providers
    assert not found.production


def test_a_key_in_the_environment_makes_the_provider(place: Place) -> None:
    provider = openai(place.load(environ={"OPENAI_API_KEY": KEY}))
    assert provider.api_key.reveal() == KEY
    assert provider.base_url == "https://api.openai.com/v1"
    assert provider.timeouts.model_dump() == {
        "connect": 5,
        "first_token": 60,
        "idle": 60,
        "total": 600,
        "reasoning_first_token": 300,
        "reasoning_idle": 120,
    }


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
    provider = openai(found)
    assert provider.base_url == "https://eu.api.openai.com/v1"
    assert (provider.organization, provider.project) == ("org-1", "proj-1")
    assert (provider.default_model, provider.default_max_output_tokens) == ("gpt-4o", 2000)
    assert provider.default_temperature == 0.3
    assert found.defaults.model_dump() == {
        "model": "gpt-3.5-turbo",
        "unsupported_parameters": "drop_sampling",
        "max_output_tokens": 1024,
        "temperature": 0.7,
        "busy_flush_seconds": 0.02,
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
    assert getattr(openai(place.load(environ=both)), key) == "strong"
    # Set to nothing is not set.
    assert getattr(openai(place.load(environ=both | {strong: ""})), key) == "weak"


def test_plain_provider_variables_stay_out_of_a_provider_of_the_file(place: Place) -> None:
    stray = {"OPENAI_API_KEY": "other", "OPENAI_BASE_URL": "https://elsewhere.example"}
    provider = openai(place.load(OPENAI, stray))
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
    assert openai(found).timeouts.connect == 1
    assert openai(found).timeouts.total == 9
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
    provider = openai(place.load(dotenv=dotenv))
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
    assert re.search(r"^defaults .*temperature 0\.7\b", text, re.MULTILINE)
    assert re.search(
        r"^provider openai +kind openai, api_key set, .*default_model gpt-4o", text, re.MULTILINE
    )


def test_address_splits_host_and_port() -> None:
    assert address("Localhost:50051") == ("localhost", 50051)
    assert address("[0::1]:0") == ("::1", 0)
    assert is_loopback(address("[::1]:1")[0])
    assert not is_loopback("127.0.0.1.example")


def test_every_key_says_what_it_means() -> None:
    found = [*KEYS.items(), *(item for keys in PROVIDER_KEYS.values() for item in keys.items())]
    assert [key for key, info in found if not info.description] == []


def test_the_example_names_every_plain_variable() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    rows = [*environment.PLAIN.values()]
    rows += [names for fields in environment.PLAIN_PROVIDERS.values() for names in fields.values()]
    assert [name for names in rows for name in names if name not in example] == []


def test_the_example_is_all_comments_and_loads_when_they_are_taken_off(place: Place) -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == []
    dotenv = "\n".join(line[1:] for line in lines if re.match(r"#[A-Z_]+=", line))
    place.write("elsewhere.toml", "")
    found = place.load(dotenv=dotenv.replace("/etc/tokenwire/tokenwire.toml", "elsewhere.toml"))
    assert found.defaults.max_output_tokens == 1024
    assert openai(found).default_temperature == 0.7
