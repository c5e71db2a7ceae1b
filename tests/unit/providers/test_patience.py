"""How long a provider is waited for."""

from typing import Any

import pytest

from tokenwire_server.call import UNBOUNDED
from tokenwire_server.providers.patience import Patience, at_once, patience_for
from tokenwire_server.settings import OpenAIProvider


def provider(**keys: Any) -> OpenAIProvider:
    return OpenAIProvider.model_validate({"kind": "openai", "api_key": "k", **keys})


USUAL = {"connect": 1, "first_token": 2, "idle": 3, "total": 4}
OWN = {
    "slow": {"first_token": 20, "total": 40},
    "all": {"connect": 9, "first_token": 8, "idle": 7, "total": 6},
}


@pytest.mark.parametrize(
    ("model", "thinks", "expected"),
    [
        ("any", "", (1, 2, 3, 4)),
        ("any", "thinks", (1, 300, 120, 4)),
        ("slow", "", (1, 20, 3, 40)),
        ("slow", "thinks", (1, 20, 120, 40)),
        ("slow-2024-01-01", "", (1, 2, 3, 4)),
        ("all", "thinks", (9, 8, 7, 6)),
    ],
)
def test_the_models_own_come_first_and_thought_takes_time(
    model: str, thinks: str, expected: tuple[float, ...]
) -> None:
    settings = provider(timeouts=USUAL, model_timeouts=OWN)
    assert patience_for(settings, model, reasons=thinks == "thinks") == expected


def test_an_answer_that_comes_at_once_has_no_first_token() -> None:
    assert at_once(Patience(1, 2, 3, 4)) == (1, UNBOUNDED, 3, 4)
