"""Watch: the time limits of what somebody else does, a provider or a caller, each with its own reason."""

import asyncio
from types import TracebackType
from typing import Final, Self

from tokenwire.v1.errors_pb2 import DEADLINE_EXCEEDED, UPSTREAM_TIMEOUT
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.call import now
from tokenwire_server.errors import GatewayError

_TEXTS: Final = {
    Reason.FIRST_TOKEN_TIMEOUT: "The provider sent no content in time.",
    Reason.STREAM_IDLE_TIMEOUT: "The provider's stream went silent.",
    Reason.UPSTREAM_TIMEOUT: "The provider's answer took longer than the total limit.",
    Reason.DEADLINE_EXCEEDED: "The call's deadline passed.",
    Reason.SLOW_READER: "The caller did not read its stream in time.",
}


_DAY: Final = 86_400.0


class Watch:
    """Ends whatever its block awaits when a limit passes, as GatewayError with that limit's reason.

    The block ends by `deadline` (absolute, of the event loop's clock) and after `total` seconds. In
    between `expect` bounds what is awaited of the other side; `relax` stops that clock, so that the time
    a slow caller takes is not held against the provider, nor a slow provider's against the caller. Both are
    cheap enough for every network read: one timer serves them all, and looks at the latest limit only when
    it fires.
    """

    def __init__(self, deadline: float, total: float = _DAY) -> None:
        end = now() + total
        self._end = min(end, deadline)
        self._end_reason = DEADLINE_EXCEEDED if deadline < end else UPSTREAM_TIMEOUT
        self._due = self._armed = self._end
        self._due_reason = self._end_reason
        self._expired: Reason.ValueType | None = None
        self._timer: asyncio.TimerHandle
        self._task: asyncio.Task[object]
        self._cancelling = 0

    def expect(self, seconds: float, reason: "Reason.ValueType") -> float:
        """From now on it has so long to do something; gives the moment it counts from."""
        moment = now()
        self._due = moment + seconds
        self._due_reason = reason
        if self._due < self._armed:
            self._timer.cancel()
            self._arm()
        return moment

    def relax(self) -> None:
        """Nothing is awaited of it."""
        self._due = self._end

    def _arm(self) -> None:
        self._armed = min(self._due, self._end)
        self._timer = self._task.get_loop().call_at(self._armed, self._check)

    def _check(self) -> None:
        if min(self._due, self._end) > now():
            self._arm()
            return
        self._expired = self._due_reason if self._due < self._end else self._end_reason
        self._task.cancel()

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()  # type: ignore[assignment]  # whatever awaits has one
        self._cancelling = self._task.cancelling()
        self._arm()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        # Like asyncio.timeout, without its object: what others cancelled stays cancelled.
        if self._expired is None or self._task.uncancel() > self._cancelling:
            return
        if kind is asyncio.CancelledError:
            raise GatewayError(reason=self._expired, text=_TEXTS[self._expired]) from error
