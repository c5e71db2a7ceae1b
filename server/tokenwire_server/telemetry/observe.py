"""One access line and one set of metrics for each RPC, written when it has ended.

Those that end shortly after each other are written together: a line and its metrics cost less than half then,
as code and data are still in the processor's caches (docs/decisions/0009-cost-of-a-call.md).
"""

import asyncio
from typing import Final, NamedTuple

import structlog
from structlog.typing import FilteringBoundLogger

from tokenwire_server.call import Call, now
from tokenwire_server.telemetry.logs import together
from tokenwire_server.telemetry.metrics import Metrics, Outcome
from tokenwire_server.telemetry.provider_health import ProviderHealth

_WAIT: Final = 0.01
"""Seconds for which the first one waits for others: long enough for some when it matters, and as much as a
crash may lose."""


class _Ended(NamedTuple):
    call: Call
    code: str
    reason: str
    duration: float


class Observer:
    """Told of each RPC as it arrives and when it has ended. Whoever made it flushes it at last."""

    def __init__(self, metrics: Metrics, providers: ProviderHealth) -> None:
        self._metrics = metrics
        self._providers = providers
        self._ended: list[_Ended] = []
        self._log: FilteringBoundLogger = structlog.get_logger().bind()  # resolved once, not for each line
        providers.catch_up = self.flush

    def began(self, call: Call) -> None:
        """The RPC has arrived."""
        self._metrics.began(call.rpc)

    def ended(self, call: Call, code: str, reason: str) -> None:
        """The RPC has ended with this status code and reason; the reason is empty when the code is OK. What
        follows from it is written within 10 ms. The call must not change any more."""
        self._metrics.left(call.rpc)
        if not self._ended:
            asyncio.get_running_loop().call_later(_WAIT, self.flush)
        self._ended.append(_Ended(call, code, reason, now() - call.arrived))

    def flush(self) -> None:
        """Writes what has ended so far."""
        if not self._ended:
            return
        batch, self._ended = self._ended, []
        with together():
            for ended in batch:
                self._write(*ended)

    def _write(self, call: Call, code: str, reason: str, duration: float) -> None:
        self._providers.saw(call)
        first_token = None if call.first_content is None else call.first_content - call.arrived
        input_tokens = call.usage.input_tokens if call.usage else 0
        output_tokens = call.usage.output_tokens if call.usage else 0
        for target, usage in call.lost:
            self._metrics.lost(target.provider, target.model, usage)
        for attempt in call.attempts:
            self._metrics.attempted(attempt.provider, attempt.reason)
        cost = call.usage.cost_nano_usd if call.usage and call.usage.HasField("cost_nano_usd") else None
        self._metrics.ended(
            Outcome(
                rpc=call.rpc,
                caller=call.caller,
                provider=call.target.provider,
                model=call.target.model,
                code=code,
                reason=reason,
                duration=duration,
                first_token=first_token,
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                asked=bool(call.attempts),
                cost_nano_usd=cost,
            )
        )
        self._log.info(
            "rpc",
            request_id=call.request_id,
            rpc=call.rpc,
            caller=call.caller,
            provider=call.target.provider,
            model=call.target.model,
            code=code,
            reason=reason,
            attempts=len(call.attempts),
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cost_nano_usd=cost,
            duration_ms=round(duration * 1000, 3),
            first_token_ms=None if first_token is None else round(first_token * 1000, 3),
            queued_ms=round(call.queued_seconds * 1000, 3),
            upstream_ms=round(call.upstream_seconds * 1000, 3),
            upstream_request_id=call.upstream_request_id,
        )
