"""Scripts are read strictly and serve the requests that they are meant for."""

import json

import pytest
from simulator.wire import Answer, chat, request

from tokenwire_server.simulator import ERRORS, Script, ScriptError, Simulator, parse_script


async def admin(simulator: Simulator, method: str, what: str, body: object = None) -> Answer:
    return await request(simulator, body, method=method, path=f"/_sim/{what}")


def test_an_empty_script_is_the_usual_answer() -> None:
    assert parse_script({}) == Script()


def test_every_key_is_read() -> None:
    given = {
        "times": 2,
        "match": "gpt-4o",
        "path": "/completions",
        "hang": True,
        "headers_delay": 1,
        "first_token_delay": 1.5,
        "gap": 0.1,
        "linger": 2,
        "tokens": 0,
        "drop_last": 2,
        "status": 429,
        "error": {"error": {}},
        "headers": {"retry-after": "1", "x-request-id": None},
        "raw": "",
        "content_type": "text/plain",
        "cut_at_byte": 0,
        "how": "rst",
        "no_finish": True,
        "no_usage": True,
        "no_done": True,
        "framing": "crlf",
        "split_bytes": 1,
        "after": 0,
        "comments": 0.5,
        "error_event": "server_error",
        "bad_json_event": True,
        "bad_utf8": True,
        "wrong_shape": "list",
    }
    assert set(given) == set(Script.__dataclass_fields__)
    script = parse_script(given)
    assert {name: getattr(script, name) for name in given} == given


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ([], "JSON object"),
        ({"delay": 1}, "'delay'"),
        ({"gap": "1"}, "'gap'"),
        ({"gap": -1}, "'gap'"),
        ({"tokens": 1.5}, "'tokens'"),
        ({"drop_last": True}, "'drop_last'"),
        ({"split_bytes": 0}, "'split_bytes'"),
        ({"hang": 1}, "'hang'"),
        ({"how": "slow"}, "'how'"),
        ({"status": 100}, "'status'"),
        ({"error": 1}, "'error'"),
        ({"headers": {"a": 1}}, "'a'"),
        ({"raw": 5}, "'raw'"),
    ],
)
def test_mistakes_are_named(value: object, named: str) -> None:
    with pytest.raises(ScriptError, match=named):
        parse_script(value)


async def test_a_queued_script_serves_what_it_matches(simulator: Simulator) -> None:
    simulator.script(Script(status=503, match="gpt-4o-mini"), Script(status=500, times=2))
    wanted = ["gpt-4o", "gpt-4o-mini", "gpt-4o-mini", "gpt-4o"]
    assert [(await request(simulator, chat(model=model))).status for model in wanted] == [500, 503, 500, 200]


async def test_a_script_may_serve_one_path(simulator: Simulator) -> None:
    simulator.script(Script(status=500, path="/chat/completions", times=0))
    assert (await request(simulator, method="GET", path="/v1/models")).status == 200
    assert {(await request(simulator, chat())).status for _ in range(3)} == {500}


async def test_the_header_wins_over_the_queue_and_the_queue_over_the_default(simulator: Simulator) -> None:
    simulator.set_default(Script(status=500))
    simulator.script(Script(status=503))
    assert (await request(simulator, chat(), script={"status": 429})).status == 429
    assert [(await request(simulator, chat())).status for _ in range(3)] == [503, 500, 500]


async def test_admin_endpoints(simulator: Simulator) -> None:
    queued = await admin(simulator, "POST", "scripts", [{"status": 503}, {"error": "rate_limit"}])
    assert queued.json == {"queued": 2}
    await admin(simulator, "PUT", "defaults", {"tokens": 1})
    statuses = [(await request(simulator, chat())).status for _ in range(3)]
    assert statuses == [503, 429, 200]
    reports = json.loads((await admin(simulator, "GET", "requests")).body)
    assert [report["status"] for report in reports] == statuses
    assert reports[0]["body"] == chat()
    assert reports[0]["headers"]["authorization"] == "Bearer sk-test"
    assert reports[2]["outcome"] == "completed"
    assert reports[2]["peer"].startswith("127.0.0.1:")
    await admin(simulator, "DELETE", "requests")
    assert simulator.received == []
    assert (await request(simulator, chat(max_tokens=2))).json["usage"] != {}
    assert (await simulator.wait_received(1)).script == Script()


@pytest.mark.parametrize(("method", "what"), [("POST", "scripts"), ("PUT", "defaults")])
async def test_admin_endpoints_name_mistakes(simulator: Simulator, method: str, what: str) -> None:
    for body in ({"delay": 1}, b"{"):
        answer = await admin(simulator, method, what, body)
        assert answer.status == 400
        assert answer.error["message"]


@pytest.mark.parametrize(
    "script", [{"delay": 1}, {"error": "no_such_error"}, {"error_event": "no_such_error"}]
)
async def test_a_wrong_script_header_is_a_bad_request(simulator: Simulator, script: object) -> None:
    answer = await request(simulator, chat(), script=script)
    assert (answer.status, answer.error["type"]) == (400, "simulator_error")


@pytest.mark.parametrize("name", ERRORS)
async def test_named_errors_have_real_bodies(simulator: Simulator, name: str) -> None:
    answer = await request(simulator, chat(), script={"error": name})
    assert answer.status >= 400
    assert answer.error.keys() == {"message", "type", "param", "code"}
    assert "{" not in str(answer.error["message"])


async def test_status_headers_and_error_objects(simulator: Simulator) -> None:
    script = {
        "status": 418,
        "error": {"detail": "teapot"},
        "headers": {"Retry-After": "nan", "x-request-id": None},
    }
    answer = await request(simulator, chat(), script=script)
    assert (answer.status, answer.json) == (418, {"detail": "teapot"})
    assert answer.headers["retry-after"] == "nan"
    assert "x-request-id" not in answer.headers


@pytest.mark.parametrize("status", [401, 404, 408, 418, 429, 500, 502, 503, 504])
async def test_a_status_alone_has_its_usual_error(simulator: Simulator, status: int) -> None:
    answer = await request(simulator, chat(), script={"status": status})
    assert answer.status == status
    assert answer.error["message"]
