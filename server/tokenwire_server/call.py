"""Call: what the gateway knows of one RPC besides its request. Created in rpc/, passed explicitly."""

from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from google.protobuf.duration_pb2 import Duration

from tokenwire.v1 import common_pb2 as pb
from tokenwire.v1.embed_pb2 import EmbedResponse
from tokenwire_server.secret import Secret
from tokenwire_server.unsupported import Unsupported

UNBOUNDED: Final = float("inf")


@dataclass(frozen=True, slots=True)
class Target:
    """A model of a configured provider: what `ChatRequest.model` was resolved to."""

    provider: str
    model: str


NOWHERE: Final = Target("", "")


@dataclass(slots=True)
class Call:
    """One RPC on its way through the gateway.

    Times are seconds of the event loop's monotonic clock, so that a step of the wall clock ends no call.
    `deadline` is absolute; a layer may keep a shorter one of its own, and never lengthens this one.
    The layers write down what happened; the access line, metrics, trailers and replies read it.
    """

    request_id: str
    rpc: str
    arrived: float
    deadline: float = UNBOUNDED
    caller: str = ""
    """The name of who calls; empty where nobody is asked, or nobody was found."""
    target: Target = NOWHERE
    fallbacks: list[Target] = field(default_factory=list)
    """Where the call may go when `target` fails, in order."""
    spare_calls: int = 0
    """How many more requests to providers this call may cause."""
    hedge_after: float | None = None
    """Seconds without content after which a stream is asked for once more; None = it is not."""
    provider_key: Secret | None = None
    """The caller's own key for the provider that the call goes to."""
    attempts: list[pb.Attempt] = field(default_factory=list)
    unsupported: Unsupported = field(default_factory=Unsupported)
    embedded: dict[Target, dict[range, EmbedResponse]] = field(default_factory=dict)
    """Batches of an Embed that a target has answered: they are not sent again with those that failed."""
    usage: pb.Usage | None = None
    lost: list[tuple[Target, pb.Usage]] = field(default_factory=list)
    """Spent on answers that nobody got, with who was paid."""
    first_content: float | None = None
    output_pieces: int = 0
    """Pieces of content that a stream has brought: about as many as tokens."""
    upstream_seconds: float = 0.0
    queued_seconds: float = 0.0
    """Spent waiting inside the gateway: for a place, and between attempts."""
    upstream_request_id: str = ""

    def content_came(self, pieces: int) -> None:
        """A stream has brought so many pieces of content by now."""
        self.output_pieces = pieces
        if self.first_content is None:
            self.first_content = now()

    def remaining(self) -> float:
        """Seconds until the deadline, never negative; infinite without one."""
        return max(0.0, self.deadline - now())


def fill(duration: Duration, seconds: float) -> None:
    """Sets a Duration. Its own helpers take as long as a validation."""
    duration.seconds, duration.nanos = divmod(int(seconds * 1e9), 1_000_000_000)


now: Final = monotonic
"""Monotonic seconds: the event loop's clock, read afresh (uvloop's own reading is up to a turn old)."""
