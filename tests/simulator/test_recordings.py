"""The simulator accepts what the real providers accepted, or names the feature that it does not simulate."""

import json

import pytest
from simulator.embeddings import ask as embed
from simulator.embeddings import rows, unpacked
from simulator.recordings import NEEDED, Row, is_whole, rows_of
from simulator.wire import Answer, request

from tokenwire_server.simulator import NOT_SIMULATED, Simulator

pytestmark = NEEDED

PATHS = {
    "openai": "/v1/chat/completions",
    "mistral": "/mistral/v1/chat/completions",
    "azure": "/compatible/azure/openai/deployments/gpt-4o/chat/completions?api-version=2024-06-01",
    "deepseek": "/compatible/deepseek/v1/chat/completions",
    "groq": "/compatible/groq/v1/chat/completions",
    "openrouter": "/compatible/openrouter/v1/chat/completions",
    # Of servers whose habits have no name here, at the one that is nearest
    "huggingface": "/compatible/vllm/v1/chat/completions",
    "cerebras": "/compatible/vllm/v1/chat/completions",
}


async def _ask(simulator: Simulator, provider: str, row: Row) -> Answer:
    return await request(simulator, row["request"], path=PATHS[provider])


@pytest.mark.parametrize(
    ("provider", "least", "most_refused"),
    [
        ("openai", 100, 4),
        ("mistral", 40, 0),
        ("azure", 1, 0),
        ("deepseek", 5, 0),
        ("groq", 50, 0),
        ("openrouter", 40, 8),
        ("huggingface", 10, 0),
        ("cerebras", 7, 0),
    ],
)
async def test_recorded_requests_are_accepted(
    simulator: Simulator, provider: str, least: int, most_refused: int
) -> None:
    accepted = [row for row in rows_of(provider) if row["status"] == 200]
    refused: dict[str, str] = {}
    for row in accepted:
        answer = await _ask(simulator, provider, row)
        if answer.status != 200:
            text = answer.body.decode()
            assert "The simulator does not simulate" in text, (row["name"], text)
            refused[str(row["name"])] = text
    assert len(accepted) >= least
    assert len(refused) <= most_refused, refused
    assert all(any(feature in text for feature in NOT_SIMULATED) for text in refused.values())


async def test_recorded_refusals_are_the_same(simulator: Simulator) -> None:
    refused = [row for row in rows_of("openai") if row["status"] != 200]
    assert refused
    for row in refused:
        answer = await _ask(simulator, "openai", row)
        assert answer.status == row["status"]
        assert answer.json == json.loads(str(row["body"]))


async def test_recorded_embeddings(simulator: Simulator) -> None:
    """The same rows of the same length, and the same refusal."""
    recorded = rows_of("openai", "embeddings")
    assert {row["status"] for row in recorded} == {200, 404}
    for row in recorded:
        answer = await embed(simulator, row["request"])
        known = json.loads(str(row["body"]))
        assert answer.status == row["status"]
        if row["status"] != 200:
            assert answer.json == known
            continue
        assert answer.json.keys() == known.keys()
        assert [(found["index"], len(unpacked(found))) for found in rows(answer)] == [
            (found["index"], len(unpacked(found))) for found in known["data"]
        ]


async def test_groqs_recorded_refusals_of_models_are_the_same(simulator: Simulator) -> None:
    refused = [row for row in rows_of("groq") if row["status"] == 404]
    assert refused
    for row in refused:
        answer = await _ask(simulator, "groq", row)
        assert answer.status == 404
        assert answer.json == json.loads(str(row["body"]))


@pytest.mark.parametrize("provider", ["mistral", "deepseek", "groq", "openrouter"])
async def test_answers_have_the_fields_of_recorded_ones(simulator: Simulator, provider: str) -> None:
    """No field of an answer or of its message is made up."""
    rows = [row for row in rows_of(provider) if row["status"] == 200 and is_whole(row)]
    recorded = [json.loads(str(row["body"])) for row in rows]
    answers = [await _ask(simulator, provider, row) for row in rows]
    for place in ("", "choice", "message"):
        known = {key for body in recorded for key in _at(body, place)}
        for answer in answers:
            assert answer.status != 200 or _at(answer.json, place).keys() <= known


def _at(body: Row, place: str) -> Row:
    choices = body["choices"]
    assert isinstance(choices, list)
    found: Row = {"": body, "choice": choices[0], "message": choices[0]["message"]}[place]
    return found
