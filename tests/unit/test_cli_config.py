"""`tokenwire config schema`: what the schema lets pass, and what an editor learns from it."""

import json
import os
import subprocess
import sys
import tomllib
from datetime import date

import pytest
from docs.pages import Block, blocks
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no stubs
from typer.testing import CliRunner

from tokenwire_server.cli import app

PROVIDER = '[providers.x]\nkind = "openai"\napi_key = "env:KEY"\n'


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    result = CliRunner().invoke(app, ["config", "schema"])
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert (found["$schema"], found["title"]) == (Draft202012Validator.META_SCHEMA["$id"], "tokenwire.toml")
    Draft202012Validator.check_schema(found)
    return Draft202012Validator(found)


def mistakes(schema: Draft202012Validator, text: str) -> list[str]:
    """Where a settings file breaks the schema. Editors give it dates as texts, and so is it done here."""
    found = json.loads(json.dumps(tomllib.loads(text), default=date.isoformat))
    return [".".join(map(str, error.path)) for error in schema.iter_errors(found)]


@pytest.mark.parametrize("block", [block for block in blocks() if block.info == "toml"], ids=str)
def test_documented_settings_are_valid(schema: Draft202012Validator, block: Block) -> None:
    assert mistakes(schema, block.text) == []


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[sever]", ""),
        ('server.listn = "x"', "server"),
        ('auth.mode = "magic"', "auth.mode"),
        ("defaults.temperature = 3", "defaults.temperature"),
        (PROVIDER + 'timeouts.frist_token = "x"', "providers.x"),
        (PROVIDER + "query = { a = 'b' }", "providers.x"),
        (PROVIDER.replace("openai", "azure"), "providers.x"),
        ('[[catalog]]\nkind = "openai"\nmatch = "x"\ncolour = "red"', "catalog.0"),
    ],
)
def test_what_is_no_setting_is_invalid(schema: Draft202012Validator, text: str, where: str) -> None:
    assert mistakes(schema, text) == [where]


def test_an_editor_learns_meaning_and_default(schema: Draft202012Validator) -> None:
    keys = schema.schema["$defs"]["OpenAIProvider"]["properties"]
    assert keys["max_response_bytes"]["default"] == 32 * 1024 * 1024
    assert keys["max_response_bytes"]["description"] == "largest answer"
    assert keys["api_key"]["type"] == "string"


def test_what_toml_cannot_write_is_not_offered(schema: Draft202012Validator) -> None:
    assert "null" not in json.dumps(schema.schema)


def test_each_process_prints_the_same() -> None:
    command = [sys.executable, "-m", "tokenwire_server", "config", "schema"]
    printed = {
        subprocess.check_output(command, env=os.environ | {"PYTHONHASHSEED": seed})  # noqa: S603 (a command of ours)
        for seed in ("1", "2")
    }
    assert len(printed) == 1
