"""The simulator accepts the Responses requests that real providers accepted, and refuses what they did."""

import json

import pytest
from simulator.recordings import NEEDED, Row, is_whole, rows_of
from simulator.responses import PATH, ask, output
from simulator.wire import chunks

from tokenwire_server.simulator import NOT_SIMULATED, Simulator

pytestmark = NEEDED

PATHS = {
    "openai": PATH,
    "azure": "/compatible/azure/openai/v1/responses?api-version=preview",
    "deepseek": "/compatible/deepseek/v1/responses",
    "openrouter": "/compatible/openrouter/v1/responses",
}


@pytest.mark.parametrize(
    ("provider", "least", "most_refused"),
    [("openai", 180, 10), ("azure", 2, 0), ("deepseek", 9, 0), ("openrouter", 3, 0)],
)
async def test_recorded_requests_are_accepted(
    simulator: Simulator, provider: str, least: int, most_refused: int
) -> None:
    accepted = [row for row in rows_of(provider, "responses") if row["status"] == 200]
    refused: dict[str, str] = {}
    for row in accepted:
        answer = await ask(simulator, row["request"], path=PATHS[provider])
        if _goes_on(row):  # from an answer that nobody has here
            assert answer.error["code"] == "previous_response_not_found"
        elif answer.status != 200:
            text = answer.body.decode()
            assert "The simulator does not simulate" in text, (row["name"], text)
            refused[str(row["name"])] = text
    assert len(accepted) >= least
    assert len(refused) <= most_refused, refused
    assert all(any(feature in text for feature in NOT_SIMULATED) for text in refused.values())


async def test_recorded_refusals_are_the_same(simulator: Simulator) -> None:
    refused = [row for row in rows_of("openai", "responses") if row["status"] != 200]
    assert len(refused) >= 5
    for row in refused:
        answer = await ask(simulator, row["request"])
        assert answer.status == row["status"]
        assert answer.json == json.loads(str(row["body"]))


@pytest.mark.parametrize("provider", ["openai", "azure", "deepseek"])
async def test_answers_have_the_fields_of_recorded_ones(simulator: Simulator, provider: str) -> None:
    """No field of a response or of its items is made up."""
    rows = [row for row in rows_of(provider, "responses") if row["status"] == 200 and is_whole(row)]
    recorded = [json.loads(str(row["body"])) for row in rows]
    fields = {key for body in recorded for key in body}
    items: dict[object, set[str]] = {}
    for item in (item for body in recorded for item in body["output"]):
        items.setdefault(item["type"], set()).update(item)
    for row in rows:
        answer = await ask(simulator, row["request"], path=PATHS[provider])
        if answer.status != 200:
            continue
        assert answer.json.keys() <= fields
        for item in output(answer.json):
            assert item.keys() <= items.get(item["type"], item.keys())


def _goes_on(row: Row) -> bool:
    asked = row["request"]
    return isinstance(asked, dict) and asked.get("previous_response_id") is not None


async def test_events_have_the_fields_of_recorded_ones(simulator: Simulator) -> None:
    rows = [row for row in rows_of("openai", "responses") if row["status"] == 200 and not is_whole(row)]
    known: dict[object, set[str]] = {}
    for event in (event for row in rows for event in chunks(_text(row))):
        known.setdefault(event["type"], set()).update(event)
    seen = set()
    for row in rows:
        answer = await ask(simulator, row["request"])
        for event in chunks(answer.body) if answer.status == 200 else ():
            assert event.keys() <= known.get(event["type"], event.keys()), event
            seen.add(event["type"])
    assert len(seen) >= 15


def _text(row: Row) -> bytes:
    return str(row["body"]).encode()
