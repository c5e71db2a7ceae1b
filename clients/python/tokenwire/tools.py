"""Functions that a model may call, and the loop in which it does."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, Unpack, cast, overload

from tokenwire.answer import Answer, ToolCall
from tokenwire.arguments import ChatFields, Fields, HasTools
from tokenwire.calls import Calls
from tokenwire.conversation import Conversation
from tokenwire.errors import IncompleteToolCall, ToolLoopLimit, ToolSchemaError
from tokenwire.events import Event
from tokenwire.execution import LONGEST_RESULT, ToolOutcome, executed, refused
from tokenwire.function import Tool
from tokenwire.messages import Message, message
from tokenwire.v1 import chat_pb2 as pb

if TYPE_CHECKING:
    from tokenwire.client import AsyncClient, Client

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class ToolReturned:
    """A tool was called, and this came of it."""

    outcome: ToolOutcome


Approve: TypeAlias = Callable[[ToolCall], bool | Awaitable[bool]]
OnEvent: TypeAlias = Callable[[Event | ToolReturned], Awaitable[None] | None]
OnCall: TypeAlias = Callable[[ToolOutcome], None]


@dataclass(frozen=True, slots=True)
class _Run:
    """What the caller of `run` wants."""

    max_steps: int
    approve: Approve | None
    on_event: OnEvent | None
    timeout: float | None


class ToolRegistry:
    """Functions, sync or async, by the names that a model calls them.

    `timeout` is how long one call of a function may take, in seconds; a sync function that takes longer goes
    on in its thread, and its result is lost. Of the calls of one answer, `parallel` run at a time. A result
    longer than `max_result_bytes` is cut. `on_call` is told of each call of a `run`, once it has ended.
    """

    def __init__(
        self,
        *,
        timeout: float = 30.0,
        parallel: int = 8,
        max_result_bytes: int = LONGEST_RESULT,
        on_call: OnCall | None = None,
    ) -> None:
        self._timeout = timeout
        self._parallel = parallel
        self._max_result_bytes = max_result_bytes
        self._on_call = on_call
        self._tools: Final[dict[str, Tool]] = {}

    @property
    def tools(self) -> list[pb.Tool]:
        """What is offered to a model: a registry may be given as `tools` to any call."""
        return [tool.proto for tool in self._tools.values()]

    @overload
    def tool(self, function: F, /) -> F: ...
    @overload
    def tool(
        self,
        /,
        *,
        name: str | None = None,
        description: str | None = None,
        parameters: Fields | None = None,
        timeout: float | None = None,
    ) -> Callable[[F], F]: ...
    def tool(
        self,
        function: F | None = None,
        /,
        *,
        name: str | None = None,
        description: str | None = None,
        parameters: Fields | None = None,
        timeout: float | None = None,
    ) -> F | Callable[[F], F]:
        """Registers a function, as `@registry.tool` or `registry.tool(function)`.

        Name, description and parameters are the function's own: its docstring, and its type hints through
        pydantic (extra `tokenwire[tools]`). `parameters` is a JSON Schema instead. Raises ToolSchemaError.
        """

        def register(found: F) -> F:
            limit = self._timeout if timeout is None else timeout
            tool = Tool(found, name=name, description=description, parameters=parameters, timeout=limit)
            if tool.name in self._tools:
                raise ToolSchemaError(f"there is a tool {tool.name} already")
            self._tools[tool.name] = tool
            return found

        return register if function is None else register(function)

    async def call(self, call: ToolCall) -> ToolOutcome:
        """Executes one call of a model. Its failures are outcomes, not exceptions."""
        tool = self._tools.get(call.name)
        if tool is None:
            return refused(call, "unknown", f"there is no such tool; there are: {', '.join(self._tools)}")
        return await executed(tool, call, self._max_result_bytes)

    @overload
    def run(
        self,
        client: "AsyncClient",
        conversation: Conversation | str,
        *,
        max_steps: int = 8,
        approve: Approve | None = None,
        on_event: OnEvent | None = None,
        timeout: float | None = None,
        **fields: Unpack[ChatFields],
    ) -> Coroutine[Any, Any, Answer]: ...
    @overload
    def run(
        self,
        client: "Client",
        conversation: Conversation | str,
        *,
        max_steps: int = 8,
        approve: Approve | None = None,
        on_event: OnEvent | None = None,
        timeout: float | None = None,
        **fields: Unpack[ChatFields],
    ) -> Answer: ...
    def run(
        self,
        client: "AsyncClient | Client",
        conversation: Conversation | str,
        *,
        max_steps: int = 8,
        approve: Approve | None = None,
        on_event: OnEvent | None = None,
        timeout: float | None = None,
        **fields: Unpack[ChatFields],
    ) -> Coroutine[Any, Any, Answer] | Answer:
        """Asks the model, executes what it calls, and asks again until it answers; gives that answer.

        All that was said and returned is added to the conversation, a call always with its result. `approve`
        is asked before each call, and the model told where it says no. `on_event` gets the events of the
        streams, and a ToolReturned for each call; like `approve` it may be async with an AsyncClient.
        `timeout` is the deadline of each request, `tool_choice` the first one's only.

        Raises ToolLoopLimit when the model still calls after `max_steps` answers, IncompleteToolCall for a
        call that was cut off, and whatever a chat raises.
        """
        said = conversation if isinstance(conversation, Conversation) else Conversation(conversation)
        wanted = _Run(max_steps, approve, on_event, timeout)
        return client.finish(self._run(client.calls, said, cast("Fields", fields), wanted))

    async def _run(self, calls: Calls, said: Conversation, fields: Fields, wanted: _Run) -> Answer:
        more: Any = fields.get("tools") or ()
        fields = {**fields, "tools": [self, more] if isinstance(more, HasTools) else [self, *more]}
        for _ in range(wanted.max_steps):
            answer = await _streamed(calls, said, fields, wanted)
            if not answer.tool_calls:
                said.append(answer)
                return answer
            outcomes = await self._outcomes(calls, answer.tool_calls, wanted)
            said.add(_sendable(answer.message), _results(outcomes))
            fields = {name: value for name, value in fields.items() if name != "tool_choice"}
        raise ToolLoopLimit(f"the model still calls tools after {wanted.max_steps} steps")

    async def _outcomes(self, calls: Calls, made: Sequence[ToolCall], wanted: _Run) -> list[ToolOutcome]:
        allowed = [await _approved(wanted.approve, call) for call in made]
        work = self._together([call for call, yes in zip(made, allowed, strict=True) if yes])
        done = iter(await calls.transport.aside(work))
        denied = "the user did not allow this call"
        outcomes = [
            next(done) if yes else refused(call, "denied", denied)
            for call, yes in zip(made, allowed, strict=True)
        ]
        for outcome in outcomes:
            if self._on_call is not None:
                self._on_call(outcome)
            await _tell(wanted.on_event, ToolReturned(outcome))
        return outcomes

    async def _together(self, made: Iterable[ToolCall]) -> list[ToolOutcome]:
        places = asyncio.Semaphore(self._parallel)

        async def one(call: ToolCall) -> ToolOutcome:
            async with places:
                return await self.call(call)

        return await asyncio.gather(*map(one, made))


async def _streamed(calls: Calls, said: Conversation, fields: Fields, wanted: _Run) -> Answer:
    async with calls.stream((said,), fields, wanted.timeout) as stream:
        async for event in stream:
            await _tell(wanted.on_event, event)
        answer = await stream.final()
    if answer.finish_reason == "length" and not all(map(_is_whole, answer.tool_calls)):
        raise IncompleteToolCall("the answer reached its token limit within the arguments of a call")
    return answer


def _is_whole(call: ToolCall) -> bool:
    return bool(call.arguments_json) and _is_json(call)


def _is_json(call: ToolCall) -> bool:
    try:
        _ = call.arguments
    except IncompleteToolCall:
        return False
    return True


def _sendable(made: Message) -> Message:
    """The message as it came, but for arguments that are no JSON: no server takes them back."""
    mended = Message()
    mended.CopyFrom(made)
    for part in mended.parts:
        call = part.tool_call
        if not _is_json(ToolCall(call.id, call.name, call.arguments_json)):
            call.arguments_json = "{}"
    return mended


def _results(outcomes: Iterable[ToolOutcome]) -> Message:
    results = ({"tool_call_id": outcome.call.id, "text": outcome.text} for outcome in outcomes)
    return message("tool", *({"tool_result": result} for result in results))


async def _approved(approve: Approve | None, call: ToolCall) -> bool:
    if approve is None:
        return True
    allowed = approve(call)
    return allowed if isinstance(allowed, bool) else await allowed


async def _tell(on_event: OnEvent | None, event: Event | ToolReturned) -> None:
    if on_event is not None and (waiting := on_event(event)) is not None:
        await waiting
