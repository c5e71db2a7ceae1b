"""What the load generator is told to do."""

from dataclasses import dataclass
from typing import Final

DRAIN_SECONDS: Final = 20.0
"""Most that one call may take."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to do to which server, and which processes to watch meanwhile."""

    target: str
    provider: str
    model: str
    """One of the models, or a mix of them."""
    completes: bool
    """Whether the server's streams end with `completed`: a bare one's do not."""
    slots: int
    """Calls at once, where there is no rate."""
    rate: float
    """Calls per second, whatever becomes of them; 0 = each slot calls as soon as it can."""
    warm: float
    seconds: float
    server: int
    upstream: int
    cores: tuple[int, ...]
    """Those of the server."""
    connections: int = 1
    """Calls take them in turn."""
    sheds: bool = False
    """Whether the server may refuse calls as OVERLOADED; Health it must answer."""
