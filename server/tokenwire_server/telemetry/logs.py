"""Structured logs on standard error: JSON in production, readable elsewhere.

Redaction is by allow-list: an event keeps only the fields named here, so that no prompt, answer or key
can reach a log by being passed along.
"""

import sys
from collections.abc import MutableMapping
from typing import Any, Final

import orjson
import structlog

FIELDS: Final = frozenset(
    {"event", "level", "timestamp", "exception", "request_id", "rpc", "provider", "model", "code", "reason"}
    | {"upstream_status", "upstream_request_id", "attempts", "input_tokens", "output_tokens"}
    | {"duration_ms", "first_token_ms", "upstream_ms", "listen", "url", "version", "in_flight", "signal"}
    | {"config_hash", "error_type"}
)
"""All that a log line may hold."""

Event = MutableMapping[str, Any]


def configure(*, json: bool) -> None:
    """Sets up the process's logs. Call it once, before the first line."""
    renderer = (
        structlog.processors.JSONRenderer(serializer=_dumps)
        if json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _only_known,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _only_known(_logger: object, _method: str, event: Event) -> Event:
    return {key: value for key, value in event.items() if key in FIELDS}


def _dumps(event: Event, **_: object) -> str:
    return orjson.dumps(event).decode()
