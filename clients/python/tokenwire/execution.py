"""One call of a tool, from its arguments to the text that the model gets: whatever happens, there is one."""

import asyncio
import contextvars
import inspect
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

from tokenwire.answer import ToolCall
from tokenwire.errors import IncompleteToolCall, ToolError
from tokenwire.function import BadArguments, Tool

LONGEST_RESULT: Final = 64 * 1024
"""Bytes of a result, where nobody says otherwise."""

Status = Literal["ok", "bad_arguments", "failed", "timeout", "unserializable", "unknown", "denied"]


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """How a call of a tool ended."""

    call: ToolCall
    status: Status
    text: str
    """What the model is told."""
    seconds: float = 0.0
    error: Exception | None = None
    """What the function raised."""

    @property
    def ok(self) -> bool:
        """Whether the function returned something that the model can read."""
        return self.status == "ok"


async def executed(tool: Tool, call: ToolCall, max_bytes: int) -> ToolOutcome:
    """Checks the arguments, calls the function, and writes its result, cut to so many bytes."""
    try:
        _ = call.arguments
        arguments = tool.parameters.read(call.arguments_json)
    except (IncompleteToolCall, BadArguments) as error:
        return refused(call, "bad_arguments", f"the arguments are wrong: {error}")
    began = time.monotonic()
    status, text, failure = await _result(tool, arguments)
    return ToolOutcome(call, status, cut(text, max_bytes), time.monotonic() - began, failure)


def refused(call: ToolCall, status: Status, text: str) -> ToolOutcome:
    """A call that was not executed."""
    return ToolOutcome(call, status, _told(text))


def cut(text: str, max_bytes: int) -> str:
    """A text of at most so many bytes; one that was longer says so."""
    data = text.encode("utf-8", "replace")
    if len(data) <= max_bytes:
        return data.decode()
    return f"{data[:max_bytes].decode('utf-8', 'ignore')}… [cut: {len(data)} bytes in all]"


async def _result(tool: Tool, arguments: dict[str, Any]) -> tuple[Status, str, Exception | None]:
    """The exception's own text stays here: it may hold what is not meant for a model's provider."""
    limit = asyncio.timeout(tool.timeout)
    try:
        async with limit:
            value = await _returned(tool, arguments)
    except ToolError as error:
        return "failed", _told(str(error)), error
    except Exception as error:  # noqa: BLE001 (the model is told, and `on_call`)
        if isinstance(error, TimeoutError) and limit.expired():
            return "timeout", _told(f"no result within {tool.timeout:g} s"), None
        return "failed", _told(f"the tool failed with {type(error).__name__}"), error
    try:
        return "ok", _written(value), None
    except (TypeError, ValueError, RecursionError) as error:
        return "unserializable", _told("the tool's result cannot be written as JSON"), error


async def _returned(tool: Tool, arguments: dict[str, Any]) -> object:
    if inspect.iscoroutinefunction(tool.function):
        return await tool.function(**arguments)
    value = await _in_thread(partial(tool.function, **arguments))
    return await value if inspect.isawaitable(value) else value


async def _in_thread(work: Callable[[], object]) -> object:
    """A thread of its own, which nothing waits for: a function that hangs must hold up neither others nor
    the end of the program."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    context = contextvars.copy_context()
    outcome: list[tuple[object, BaseException | None]] = []

    def settle() -> None:
        if not done.done():
            done.set_result(None)

    def run() -> None:
        try:
            outcome.append((context.run(work), None))
        except BaseException as error:  # noqa: BLE001 (raised where it is waited for)
            outcome.append((None, error))
        try:
            loop.call_soon_threadsafe(settle)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return

    threading.Thread(target=run, name="tokenwire-tool", daemon=True).start()
    await done
    value, error = outcome[0]
    if error is not None:
        raise error
    return value


def _written(value: object) -> str:
    """A text as it is, everything else as JSON."""
    if isinstance(value, str):
        return value
    try:
        from pydantic_core import to_jsonable_python  # noqa: PLC0415 (pydantic is optional)
    except ImportError:  # it is optional: what json knows by itself is left
        plain = value
    else:
        plain = to_jsonable_python(value)
    return json.dumps(plain, ensure_ascii=False, allow_nan=False)


def _told(text: str) -> str:
    return json.dumps({"error": text}, ensure_ascii=False)
