"""The simulator accepts what the real provider accepted, or names the feature that it does not simulate."""

import json
import os
from pathlib import Path

import pytest
from simulator.wire import request

from tokenwire_server.simulator import NOT_SIMULATED, Simulator

_FOLDER = os.environ.get("TOKENWIRE_RECORDINGS", "")

pytestmark = pytest.mark.skipif(
    not _FOLDER, reason="TOKENWIRE_RECORDINGS does not name the folder with recorded provider traffic"
)


def _rows() -> list[dict[str, object]]:
    lines = Path(_FOLDER, "openai-chat.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


async def test_recorded_requests_are_accepted(simulator: Simulator) -> None:
    accepted = [row for row in _rows() if row["status"] == 200]
    refused: dict[str, str] = {}
    for row in accepted:
        answer = await request(simulator, row["request"])
        if answer.status != 200:
            assert answer.error["code"] == "not_simulated", (row["name"], answer.body)
            refused[str(row["name"])] = str(answer.error["message"])
    assert len(accepted) > 100
    assert len(refused) < 5
    assert all(any(feature in message for feature in NOT_SIMULATED) for message in refused.values())


async def test_recorded_refusals_are_the_same(simulator: Simulator) -> None:
    refused = [row for row in _rows() if row["status"] != 200]
    assert refused
    for row in refused:
        answer = await request(simulator, row["request"])
        assert answer.status == row["status"]
        assert answer.json == json.loads(str(row["body"]))
