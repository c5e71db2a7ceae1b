"""Sends each call to the provider that its target names, with the key that has least to do.

A key that fails for a model is left alone by its breaker. One that is over its limit comes late until the
provider takes calls again, one that has just failed for a moment. One that the provider refuses comes last.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import embed_pb2, tokens_pb2
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.backend import Backend, Provider
from tokenwire_server.call import Call, now
from tokenwire_server.errors import GatewayError
from tokenwire_server.evidence import EVIDENCE, OF_THE_KEY, Evidence
from tokenwire_server.policy.breaker import Breaker, Permit, State

Batch = Sequence[pb.ChatStreamResponse]

_MODELS: Final = 1024
"""Whose breakers one key remembers: callers must not be able to fill the memory with names."""
_BELIEVED: Final = 60.0
"""Seconds for which a provider's Retry-After or refusal of a key is believed; then a call asks again."""
_MOMENT: Final = 1.0
"""Seconds for which a key that failed comes late: an attempt that is made again goes to another one."""


class _Lane:
    """A provider with one of its keys."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.in_flight = 0
        self.refused = False
        """Whether the provider did not take the key when it last said something of it."""
        self._standings: dict[str, _Standing] = {}

    def standing(self, model: str) -> "_Standing":
        found = self._standings.get(model)
        if found is None:
            if len(self._standings) >= _MODELS:
                self._standings.clear()
            found = self._standings[model] = _Standing()
        return found

    def circuit_open(self) -> bool:
        """Whether it is left alone for some model."""
        return any(standing.breaker.opens_in > 0 for standing in self._standings.values())


class _Standing:
    """How a model of a lane does."""

    __slots__ = ("breaker", "late_until", "limited_until", "refused_until")

    def __init__(self) -> None:
        self.breaker = Breaker()
        self.limited_until = 0.0
        self.late_until = 0.0
        self.refused_until = 0.0

    def place(self) -> int:
        """Those with a lower one are asked first: 1 = over its limit or just failed, 2 = refused."""
        moment = now()
        if self.refused_until > moment:
            return 2
        return 1 if max(self.limited_until, self.late_until) > moment else 0

    def may_answer(self, call: Call) -> bool:
        """Whether a call that another key failed should come here."""
        limit_ends = self.limited_until - now() <= call.remaining()
        return limit_ends and self.place() < 2 and self.breaker.state is State.CLOSED

    def permit(self, call: Call) -> Permit:
        """A limit is a reason to ask elsewhere, and no reason not to ask, unless it outlasts the call."""
        if self.limited_until and self.limited_until - now() > call.remaining():
            return Permit.REFUSED
        return self.breaker.permit()

    def refusal(self, call: Call) -> GatewayError:
        """Why there is no permit."""
        limited = self.limited_until - now()
        if limited > call.remaining():
            return GatewayError(
                reason=Reason.PROVIDER_RATE_LIMITED,
                text="The provider takes no calls for now, as it said.",
                retry_after=limited,
            )
        return GatewayError(
            reason=Reason.CIRCUIT_OPEN,
            text="The provider failed too often, and is left alone for a while.",
            retry_after=self.breaker.opens_in,
        )

    def answered(self, permit: Permit) -> None:
        self.late_until = self.refused_until = 0.0
        self.breaker.succeeded(permit)

    def judge(self, permit: Permit, error: GatewayError) -> None:
        match EVIDENCE[error.reason]:
            case Evidence.FAILS:
                self.late_until = now() + _MOMENT
                self.breaker.failed(permit)
            case Evidence.REFUSES_KEY:
                self.breaker.failed(permit)
            case Evidence.ANSWERS:
                self.answered(permit)
            case Evidence.NOTHING:
                self.breaker.released(permit)
        if error.reason == Reason.PROVIDER_RATE_LIMITED and error.retry_after:
            self.limited_until = now() + min(error.retry_after, _BELIEVED)
        if error.reason in OF_THE_KEY:
            self.refused_until = now() + _BELIEVED


class Route:
    """A Backend over the configured providers: by name, one for each of a provider's keys."""

    def __init__(self, providers: Mapping[str, Sequence[Provider]]) -> None:
        self._lanes = {name: [_Lane(provider) for provider in keys] for name, keys in providers.items()}

    async def chat(self, request: pb.ChatRequest, call: Call) -> pb.ChatResponse:
        """The provider's answer."""
        with self._visit(call) as provider:
            return await provider.chat(request, call)

    @asynccontextmanager
    async def stream(
        self, request: pb.ChatRequest, call: Call
    ) -> AsyncIterator[AsyncIterator[Sequence[pb.ChatStreamResponse]]]:
        """The provider's events."""
        visit = self._visit(call)
        with visit as provider:
            async with provider.stream(request, call) as events:
                yield visit.judged(events)

    async def embed(self, request: embed_pb2.EmbedRequest, call: Call) -> embed_pb2.EmbedResponse:
        """The provider's vectors."""
        with self._visit(call) as provider:
            return await provider.embed(request, call)

    async def count_tokens(
        self, request: tokens_pb2.CountTokensRequest, call: Call
    ) -> tokens_pb2.CountTokensResponse:
        """The provider's count, for which it is not asked."""
        return await self._lanes[call.target.provider][0].provider.count_tokens(request, call)

    def circuit_open(self, provider: str) -> bool:
        """Whether every key of a provider is left alone for some model."""
        lanes = self._lanes.get(provider, ())
        return bool(lanes) and all(lane.circuit_open() for lane in lanes)

    def refused(self, provider: str) -> bool:
        """Whether a provider took none of its keys when it last said something of each."""
        return all(lane.refused for lane in self._lanes.get(provider, ()))

    def _visit(self, call: Call) -> "_Visit":
        lanes = self._lanes[call.target.provider]
        if call.provider_key:  # it says nothing of ours, nor ours of it
            lanes = [_Lane(lanes[0].provider)]
        return _Visit(call, lanes, *_chosen(lanes, call))


class _Visit:
    """A call that is with a provider; what becomes of it is judged at its end."""

    __slots__ = ("_asked", "_call", "_lane", "_lanes", "_permit", "_standing")

    def __init__(
        self, call: Call, lanes: Sequence[_Lane], lane: _Lane, standing: _Standing, permit: Permit
    ) -> None:
        self._call, self._asked, self._lanes = call, len(call.attempts), lanes
        self._lane, self._standing, self._permit = lane, standing, permit

    def __enter__(self) -> Backend:
        self._lane.in_flight += 1
        return self._lane.provider

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        self._lane.in_flight -= 1
        if error is None:
            self._lane.refused = False
            self._standing.answered(self._permit)
        elif isinstance(error, GatewayError) and len(self._call.attempts) > self._asked:
            self._judge(error)
        else:  # the caller left, or nothing was sent
            self._standing.breaker.released(self._permit)

    def _judge(self, error: GatewayError) -> None:
        self._standing.judge(self._permit, error)
        evidence = EVIDENCE[error.reason]
        if evidence in (Evidence.ANSWERS, Evidence.REFUSES_KEY):
            self._lane.refused = evidence is Evidence.REFUSES_KEY
        if error.reason in OF_THE_KEY:
            model = self._call.target.model
            error.other_key = any(lane.standing(model).may_answer(self._call) for lane in self._lanes)

    def judged(self, events: AsyncIterator[Batch]) -> AsyncIterator[Batch]:
        """The events. That of a probe has shown what it is for when they begin: until it has, nobody else may
        call, and a stream may take minutes."""
        return events if self._permit is Permit.CALL else self._probed(events)

    async def _probed(self, events: AsyncIterator[Batch]) -> AsyncIterator[Batch]:
        async for batch in events:
            if self._permit is Permit.PROBE:
                self._standing.breaker.succeeded(Permit.PROBE)
                self._permit = Permit.CALL
            yield batch


def _chosen(lanes: Sequence[_Lane], call: Call) -> tuple[_Lane, _Standing, Permit]:
    """The lane with least in flight that takes the model; else raises what the soonest one says.

    Of two with as much in flight it is the one that was not refused, or longer ago: with few calls none
    meets a key that is no more, and with many one that is back is found.
    """
    standings = [(lane, lane.standing(call.target.model)) for lane in lanes]
    if len(standings) > 1:
        standings.sort(key=lambda pair: (pair[1].place(), pair[0].in_flight, pair[1].refused_until))
    for lane, standing in standings:
        permit = standing.permit(call)
        if permit is not Permit.REFUSED:
            return lane, standing, permit
    refusals = [standing.refusal(call) for _, standing in standings]
    raise min(refusals, key=lambda refusal: refusal.retry_after or 0.0)
