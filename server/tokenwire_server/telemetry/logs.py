"""Structured logs on standard error: JSON in production, readable elsewhere.

Redaction is by allow-list: an event keeps only the fields named here, so that no prompt, answer or key
can reach a log by being passed along.
"""

import sys
from collections.abc import Callable, MutableMapping
from pathlib import Path
from traceback import StackSummary, walk_tb
from typing import Any, Final

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
    | {"config_hash", "error_type", "caller", "state"}
)
"""All that a log line may hold."""

Event = MutableMapping[str, Any]


def configure(*, json: bool) -> None:
    """Sets up the process's logs. Call it once, before the first line."""
    renderer: Processor
    factory: Callable[..., object]
    if json:
        renderer = structlog.processors.JSONRenderer(serializer=_dumps)
        factory = structlog.BytesLoggerFactory(sys.stderr.buffer)
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        factory = structlog.PrintLoggerFactory(sys.stderr)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _placed,
            _only_known,
            renderer,
        ],
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
    return {key: value for key, value in event.items() if key in FIELDS}


def _dumps(event: Event, **_: object) -> bytes:
    return orjson.dumps(event)
