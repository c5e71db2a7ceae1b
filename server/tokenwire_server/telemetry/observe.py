"""One access line and one set of metrics for each RPC, written when it has ended."""

import structlog
from structlog.typing import FilteringBoundLogger

from tokenwire_server.call import Call, now
from tokenwire_server.telemetry.metrics import Metrics, Outcome
from tokenwire_server.telemetry.provider_health import ProviderHealth


class Observer:
    """Told of each RPC twice: when it has arrived and when it has ended."""

    def __init__(self, metrics: Metrics, providers: ProviderHealth) -> None:
        self._metrics = metrics
        self._providers = providers
        self._log: FilteringBoundLogger = structlog.get_logger().bind()  # resolved once, not for each line

    def began(self, call: Call) -> None:
        """The RPC has arrived."""
        self._metrics.began(call.rpc)

    def ended(self, call: Call, code: str, reason: str) -> None:
        """The RPC has ended with this status code and reason; the reason is empty when the code is OK."""
        self._providers.saw(call)
        duration = now() - call.arrived
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
