"""Asking a provider: every answer is asked for whole and as a stream, and the two must agree."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pytest
from conformance.sent import as_chat
from conformance.subjects import Subject
from support.ask import said
from support.stream import comparable, whole

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server import catalog
from tokenwire_server.backend import Backend
from tokenwire_server.call import Call, Target, now
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers.http import HttpClient
from tokenwire_server.providers.registry import provider_backend
from tokenwire_server.providers.state import pack, unpack
from tokenwire_server.settings import Defaults
from tokenwire_server.simulator import Script, Simulator
from tokenwire_server.unsupported import Unsupported

Mode: TypeAlias = "common_pb2.UnsupportedParameters.ValueType"
REJECT = common_pb2.UNSUPPORTED_PARAMETERS_REJECT
DROP = common_pb2.UNSUPPORTED_PARAMETERS_DROP
DROP_SAMPLING = common_pb2.UNSUPPORTED_PARAMETERS_DROP_SAMPLING
Warned = list[tuple[str, str]]
"""Code and field of each warning of a call."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider answered, whole and as a stream alike."""

    response: pb.ChatResponse
    events: Sequence[pb.ChatStreamResponse]
    warnings: Warned
    body: Any
    """What the provider received, in the form of Chat Completions."""

    @property
    def choice(self) -> pb.Choice:
        (choice,) = self.response.choices
        return choice

    @property
    def message(self) -> pb.ChatMessage:
        return self.choice.message

    @property
    def text(self) -> str:
        return self.message.text

    @property
    def calls(self) -> list[pb.ToolCall]:
        return [part.tool_call for part in self.message.parts if part.HasField("tool_call")]

    @property
    def thoughts(self) -> list[pb.ContentPart]:
        return [part for part in self.message.parts if part.HasField("reasoning")]

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Lab:
    """Providers in front of one simulator."""

    simulator: Simulator
    http: HttpClient
    _backends: dict[str, Backend] = field(default_factory=dict)

    def backend(self, subject: Subject) -> Backend:
        """The provider as the server makes it."""
        if subject.name not in self._backends:
            settings = subject.provider(self.simulator)
            made = provider_backend(subject.name, settings, Defaults(), self.http, catalog.load())
            self._backends[subject.name] = made
        return self._backends[subject.name]

    def script(self, **fields: Any) -> None:
        """How the next answer is given, whole and as a stream."""
        self.simulator.script(Script(times=2, **fields))

    async def ask(
        self,
        subject: Subject,
        request: pb.ChatRequest,
        mode: Mode = REJECT,
        *,
        model: str = "",
    ) -> Answer:
        """The answer, once it has come in both ways."""
        calls = [new_call(subject, model, mode) for _ in range(2)]
        backend = self.backend(subject)
        response = await backend.chat(request, calls[0])
        async with backend.stream(request, calls[1]) as reads:
            events = [event async for read in reads for event in read]
        streamed = whole([_as_text(event) for event in events])
        _check_parts(events)
        assert _essence(subject, streamed) == _essence(subject, response)
        warnings = [_warned(call) for call in calls]
        assert warnings[0] == warnings[1]
        body: Any = self.simulator.received[-2].body
        assert [received.status for received in self.simulator.received[-2:]] == [200, 200]
        _check_attempts(subject, calls)
        return Answer(response, events, warnings[0], as_chat(body))

    async def refusal(
        self,
        subject: Subject,
        request: pb.ChatRequest,
        mode: Mode = REJECT,
        *,
        model: str = "",
    ) -> GatewayError:
        """How the request fails, in both ways alike."""
        backend = self.backend(subject)
        with pytest.raises(GatewayError) as whole_error:
            await backend.chat(request, new_call(subject, model, mode))
        with pytest.raises(GatewayError) as stream_error:
            async with backend.stream(request, new_call(subject, model, mode)) as reads:
                assert [read async for read in reads] == []
        assert stream_error.value == whole_error.value
        return whole_error.value

    async def lacks(self, subject: Subject, request: pb.ChatRequest, path: str) -> bool:
        """Whether the provider has no place for a parameter: then it is refused by name, and nothing sent."""
        if path not in subject.lacks:
            return False
        error = await self.refusal(subject, request)
        assert (error.reason, fields_of(error)) == (Reason.UNSUPPORTED_PARAMETER, [path])
        assert self.simulator.received == []
        return True


def new_call(
    subject: Subject,
    model: str = "",
    mode: Mode = REJECT,
) -> Call:
    """A call that was resolved to the provider."""
    target = Target(subject.name, model or subject.model)
    return Call("request-1", "Chat", now(), target=target, unsupported=Unsupported(mode))


def fields_of(error: GatewayError) -> list[str]:
    """Paths of the fields that were refused."""
    return [violation.field for violation in error.violations]


def _warned(call: Call) -> Warned:
    code = common_pb2.WarningCode.Name
    return [
        (code(warning.code).removeprefix("WARNING_CODE_"), warning.field)
        for warning in call.unsupported.warnings
    ]


def _essence(subject: Subject, response: pb.ChatResponse) -> pb.ChatResponse:
    """What must be the same in both ways."""
    copy = comparable(response)
    copy.ClearField("provider_fields")  # of chunks and of whole answers, where providers differ themselves
    for number, part in enumerate(_parts(copy)):
        state = unpack(part, subject.name, "")
        if state is not None:
            own = {name: str(number) for name in state.keys() & {"id", "encrypted_content"}}
            part.provider_state = pack(subject.name, **state | own)
        if part.HasField("tool_call") and not subject.makes_ids:
            assert part.tool_call.id
            part.tool_call.id = str(number)
    return copy


def _parts(response: pb.ChatResponse) -> Iterator[pb.ContentPart]:
    for choice in response.choices:
        yield from choice.message.parts


def _as_text(event: pb.ChatStreamResponse) -> pb.ChatStreamResponse:
    """Thoughts as texts: the rules of a stream are the same for both."""
    shown = pb.ChatStreamResponse()
    shown.CopyFrom(event)
    match event.WhichOneof("event"):
        case "reasoning_delta":
            shown.text_delta.text = event.reasoning_delta.text
        case "part_done" if event.part_done.part.HasField("reasoning"):
            shown.part_done.part.text = event.part_done.part.reasoning.text
        case _:
            pass
    return shown


def _check_parts(events: Sequence[pb.ChatStreamResponse]) -> None:
    """The parts that a stream brought are those of its messages."""
    for choice in events[-1].completed.response.choices:
        done = {
            event.part_index: event.part_done.part
            for event in events
            if event.HasField("part_done") and event.choice_index == choice.index
        }
        assert said(done[index] for index in sorted(done)) == choice.message


def _check_attempts(subject: Subject, calls: Sequence[Call]) -> None:
    for call in calls:
        (attempt,) = call.attempts
        assert (attempt.provider, attempt.upstream_status, attempt.code) == (subject.name, 200, 0)
