"""Aliases, attempts and further keys in the settings: what they mean, and what is wrong with them."""

import pytest
from unit.settings_place import KEY, Place, place

from tokenwire_server.settings import SettingsError

__all__ = ["place"]  # a fixture

TWO = f"""
[providers.openai]
kind = "openai"
api_key = "{KEY}"

[providers.local]
kind = "openai_compatible"
base_url = "http://127.0.0.1:8080/v1"
"""


def mistakes(place: Place, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        place.load(TWO + text)
    return str(caught.value)


def test_an_alias_names_targets_in_order(place: Place) -> None:
    text = '[aliases.fast]\ntargets = ["openai/gpt-5.4-mini", "local/qwen3"]\nweights = [3, 1]\n'
    alias = place.load(TWO + text).aliases["fast"]
    assert alias.targets == ("openai/gpt-5.4-mini", "local/qwen3")
    assert alias.weights == (3, 1)


def test_an_alias_may_come_from_the_environment(place: Place) -> None:
    found = place.load(TWO, environ={"TOKENWIRE_ALIASES__FAST__TARGETS": "openai/a, local/b"}).aliases
    assert found["fast"].targets == ("openai/a", "local/b")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[aliases.fast]\ntargets = ["mistral/x"]', "names the provider mistral, which is not configured"),
        ('[aliases.fast]\ntargets = ["gpt-4o"]', "names gpt-4o, which is no provider/model of this server"),
        ('[aliases.fast]\ntargets = ["other/x"]', "names other/x, which is no provider/model of this server"),
        ('[aliases.fast]\ntargets = ["local"]', "names local, which is no provider/model of this server"),
        ('[aliases.fast]\ntargets = ["local/"]', "names no model after local/"),
        ('[defaults]\nmodel = "local/"', "names no model after local/"),
        ("[aliases.fast]\ntargets = []", "at least 1 item"),
        ("[aliases.fast]\nweights = [1]", "aliases.fast.targets (tokenwire.toml): is missing"),
        ('[aliases.fast]\ntargets = ["local/a"]\nweights = [1, 2]', "has not as many weights as targets"),
        ('[aliases.fast]\ntargets = ["local/a"]\nweights = [0]', "has weights that are all 0"),
        ('[aliases.fast]\ntargets = ["local/a"]\nweight = [1]', "did you mean aliases.fast.weights?"),
        ('[aliases."a/b"]\ntargets = ["local/a"]', "is no alias"),
        ("[attempts]\nmax_calls = 0", "must be greater than or equal to 1"),
        ("[attempts]\nmax_call = 2", "did you mean attempts.max_calls?"),
        ('[providers.openai.model_timeouts."o3"]\nfirst_tokens = 1', "is no setting"),
        ('[providers.openai.model_timeouts."o3"]\nfirst_token = 0', "must be greater than 0"),
    ],
)
def test_mistakes_are_named(place: Place, text: str, told: str) -> None:
    assert told in mistakes(place, text).replace("\n", " ")


def test_further_keys_are_secrets(place: Place) -> None:
    text = TWO.replace(f'api_key = "{KEY}"', f'api_key = "{KEY}"\nextra_api_keys = ["{KEY}2", "env:THIRD"]')
    provider = place.load(text, environ={"THIRD": f"{KEY}3"}).providers["openai"]
    assert [key.reveal() for key in provider.extra_api_keys] == [f"{KEY}2", f"{KEY}3"]
    assert KEY not in repr(provider)
