"""The log: only named fields, as JSON or for people."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from tokenwire_server.telemetry import logs

CANARY = "sk-canary-in-a-log"


@pytest.fixture(autouse=True)
def _usual_logs() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def _line(capture: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (line,) = capture.readouterr().err.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_line_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(json=True)
    structlog.get_logger().info("rpc", rpc="Chat", code="OK", duration_ms=1.5)
    line = _line(capsys)
    assert {key: line[key] for key in ("event", "level", "rpc", "code", "duration_ms")} == {
        "event": "rpc",
        "level": "info",
        "rpc": "Chat",
        "code": "OK",
        "duration_ms": 1.5,
    }
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize(
    "field", ["prompt", "messages", "text", "api_key", "authorization", "request", "body"]
)
def test_what_is_passed_along_by_mistake_is_left_out(
    capsys: pytest.CaptureFixture[str], field: str, *, as_json: bool
) -> None:
    logs.configure(json=as_json)
    structlog.get_logger().info("rpc", request_id="r-1", **{field: CANARY})
    shown = capsys.readouterr().err
    assert CANARY not in shown
    assert "r-1" in shown


def test_what_is_bound_to_a_logger_is_left_out_too(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(json=True)
    structlog.get_logger().bind(prompt=CANARY).info("rpc")
    assert CANARY not in capsys.readouterr().err


def _fails() -> None:
    try:
        int(CANARY)
    except ValueError as error:
        raise RuntimeError(CANARY) from error


@pytest.mark.parametrize("as_json", [True, False])
def test_a_failure_tells_where_it_happened_and_not_what_it_says(
    capsys: pytest.CaptureFixture[str], *, as_json: bool
) -> None:
    logs.configure(json=as_json)
    with pytest.raises(RuntimeError) as caught:
        _fails()
    structlog.get_logger().error("failed", error_type="RuntimeError", exc_info=caught.value)
    shown = capsys.readouterr().err
    assert CANARY not in shown
    assert "RuntimeError" in shown
    assert "ValueError" in shown, "the cause is what the operator looks for"
    assert "test_logs.py" in shown
    assert "_fails" in shown


def test_debug_lines_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(json=True)
    structlog.get_logger().debug("rpc")
    assert capsys.readouterr().err == ""
