"""Structured logs on standard error: JSON in production, readable elsewhere.

Redaction is by allow-list: an event keeps only the fields named here, so that no prompt, answer or key
can reach a log by being passed along.
"""

import sys
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from traceback import StackSummary, walk_tb
from typing import Any, BinaryIO, Final, cast

import orjson
import structlog
from structlog.typing import Processor

FIELDS: Final = frozenset(
    {"event", "level", "timestamp", "exception", "request_id", "rpc", "provider", "model", "code", "reason"}
    | {"upstream_status", "upstream_request_id", "attempts", "input_tokens", "output_tokens", "cost_nano_usd"}
    | {
        "duration_ms",
        "first_token_ms",
        "upstream_ms",
        "queued_ms",
        "listen",
        "url",
        "version",
        "in_flight",
        "signal",
    }
    | {"config_hash", "error_type", "caller", "state", "limit", "needed", "worker", "workers"}
)
"""All that a log line may hold."""

Event = MutableMapping[str, Any]


class _Output:
    """Standard error, as much of a file as structlog needs. Any thread may write."""

    def __init__(self) -> None:
        self.held = False
        self._lock: Final = Lock()
        self._lines: list[bytes] = []

    def write(self, line: bytes) -> None:
        with self._lock:
            self._lines.append(line)

    def flush(self) -> None:
        if self.held:
            return
        with self._lock:
            lines, self._lines = self._lines, []
            sys.stderr.buffer.write(b"".join(lines))
            sys.stderr.flush()


_output: Final = _Output()


@contextmanager
def together() -> Iterator[None]:
    """Lines of the block are written in one piece, at its end."""
    _output.held = True
    try:
        yield
    finally:
        _output.held = False
        _output.flush()


def configure(*, json: bool) -> None:
    """Sets up the process's logs. Call it once, before the first line."""
    renderers: Sequence[Processor]
    factory: Callable[..., object]
    if json:
        renderers = (_json,)
        factory = structlog.BytesLoggerFactory(cast("BinaryIO", _output))
    else:
        renderers = (
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        )
        factory = structlog.PrintLoggerFactory(sys.stderr)
    structlog.configure(
        processors=[_placed, _only_known, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )


def _placed(_logger: object, _method: str, event: Event) -> Event:
    """An exception and its causes as types and places: their texts may hold prompts or keys."""
    error, chain = event.pop("exc_info", None), []
    while isinstance(error, BaseException):
        frames = StackSummary.extract(walk_tb(error.__traceback__), lookup_lines=False)
        places = " > ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
        chain.append(f"{type(error).__name__} at {places}")
        error = error.__cause__ or error.__context__
    if chain:
        event["exception"] = "; caused by ".join(chain)
    return event


def _only_known(_logger: object, _method: str, event: Event) -> Event:
    if event.keys() <= FIELDS:
        return event
    return {key: value for key, value in event.items() if key in FIELDS}


def _json(_logger: object, method: str, event: Event) -> bytes:
    """One step, as each call of the gateway has a line: orjson writes the time as well."""
    event["level"], event["timestamp"] = method, datetime.now(UTC)
    return orjson.dumps(event, option=orjson.OPT_UTC_Z)
