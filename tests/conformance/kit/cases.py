"""The cases of the kit, as data: what is called, where, and what must come of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = Mapping[str, Any]

FOLDER = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class Expected:
    """What must come of a call; what is absent is not looked at, but for the rules of checks.py."""

    code: str = "OK"
    """A status, or several with `|` between them, where gRPC libraries differ."""
    reason: str = ""
    info: Json = field(default_factory=dict)
    """Some of the metadata of `ErrorInfo`."""
    fields: tuple[str, ...] = ()
    """Paths in `BadRequest`."""
    retry_after: float | None = None
    """Seconds in `RetryInfo`."""
    quota: str = ""
    """Subject in `QuotaFailure`."""
    resource: str = ""
    """Name in `ResourceInfo`."""
    trailers: Json = field(default_factory=dict)
    reply: Json = field(default_factory=dict)
    """A part of the last response, or of `completed.response`, as matching.py has it."""
    responses: int | None = None
    """How many came."""
    upstream: tuple[str, ...] = ()
    """How each request ended at the simulator."""
    calls: int | None = None
    """How many calls a stand-in saw."""
    apart_ms: int = 0
    """At least, between the first two of them."""


@dataclass(frozen=True)
class Case:
    """One call, or the same call several times, of which the last one counts."""

    name: str
    request: Json = field(default_factory=dict)
    """As JSON of the proto."""
    rpc: str = "Chat"
    metadata: Json = field(default_factory=dict)
    """Beside the token; an empty `authorization` sends none."""
    timeout_ms: int = 10_000
    cancel_after: int = 0
    """The caller leaves after so many responses."""
    wait_for_ready: bool = False
    service_config: bool = False
    """With `clients/service-config.json`."""
    repeat: int = 1
    anywhere: bool = False
    """Any deployment can run it whose server has a default model: it needs no simulator."""
    stage: str = "gateway"
    """A name of stages.py: what stands behind the port."""
    given: Json = field(default_factory=dict)
    """What the stage takes: `script` for the simulator, tables of settings, a `reason`."""
    expect: Expected = Expected()


def _case(name: str, row: Json) -> Case:
    expect: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in row["expect"].items()
    }
    return Case(name, **{**row, "expect": Expected(**expect)})


def load() -> list[Case]:
    """All cases, in the order of their files; TypeError names a key that there is not."""
    return [
        _case(name, row)
        for path in sorted(FOLDER.glob("*.json"))
        for name, row in json.loads(path.read_text()).items()
    ]
