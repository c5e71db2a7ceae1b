"""The simulator as an HTTP application."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace

import orjson
from aiohttp import web

from tokenwire_server.simulator import admin, compatible, mistral_api, openai_api
from tokenwire_server.simulator.conversations import Conversations
from tokenwire_server.simulator.records import KEPT, Received
from tokenwire_server.simulator.reply import Event, Exchange, Mount, NamedError, Reply, json_reply
from tokenwire_server.simulator.script import Script, ScriptError, parse_script
from tokenwire_server.simulator.scripts import Scripts
from tokenwire_server.simulator.sender import Sender

SCRIPT_HEADER = "x-sim-script"

_MAX_BODY = 64 * 2**20  # bytes; the provider's own limit is of this order


class Simulator:
    """Answers as providers do, from the request alone.

    Texts, tool calls and their ids depend on nothing but the request. The id of a completion also has the
    request's number in it, and `created` comes from the clock, which may be replaced.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.url = ""  # with /v1; known while it is served
        self.received: list[Received] = []  # the newest last; the oldest are forgotten
        self._clock = clock
        self._total = 0
        self._arrival = asyncio.Event()
        self._scripts = Scripts()
        self._stored: defaultdict[str, Conversations] = defaultdict(Conversations)  # by a mount's prefix
        self._mounts = (openai_api.MOUNT, mistral_api.MOUNT, *compatible.MOUNTS)
        self._answering: set[asyncio.Task[object]] = set()
        self.app = self._application()

    @property
    def urls(self) -> dict[str, str]:
        """The base URL of each provider that is simulated, by its name."""
        return {"openai": self.url, "mistral": self.mistral_url}

    @property
    def mistral_url(self) -> str:
        """What Mistral's clients take as the server: without /v1, which they put there themselves."""
        return f"{self.url.removesuffix('/v1')}{mistral_api.ROOT}"

    def compatible_url(self, name: str) -> str:
        """The base URL, with /v1, of the compatible server with this name; ValueError if there is none."""
        return f"{self.url.removesuffix('/v1')}{compatible.root(name)}/v1"

    def script(self, *scripts: Script) -> None:
        """Queue scripts for the next requests that they match."""
        for script in scripts:
            self._scripts.add(script)

    def set_default(self, script: Script) -> None:
        """The script of all requests that no other script serves."""
        self._scripts.default = script

    def clear(self) -> None:
        """Forget what was received and stored, and all scripts; requests being answered go on."""
        self.received.clear()
        self._scripts.clear()
        self._stored.clear()
        self._total = 0

    async def wait_received(self, number: int = 1, timeout: float = 5.0) -> Received:
        """The request with this number since the start or the last `clear`, once it has come in."""
        async with asyncio.timeout(timeout):
            while self._total < number:
                self._arrival.clear()
                await self._arrival.wait()
        return self.received[number - 1 - self._total]

    async def stop_answering(self) -> None:
        """Cancel all that is being answered; returns once that is done."""
        answering = list(self._answering)
        for task in answering:
            task.cancel()
        await asyncio.gather(*answering, return_exceptions=True)

    def _application(self) -> web.Application:
        app = web.Application(client_max_size=_MAX_BODY)
        app.add_routes(admin.routes(self))
        app.router.add_route("*", "/{path:.*}", self._handle)
        app.on_shutdown.append(lambda _app: self.stop_answering())
        return app

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        received = await self._record(request)
        with self._tracked():
            try:
                return await self._answer(request, received)
            except asyncio.CancelledError:
                received.finish("closed by client" if _gone(request) else "stopped")
                raise

    @contextmanager
    def _tracked(self) -> Iterator[None]:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("requests are answered in tasks")
        self._answering.add(task)
        try:
            yield
        finally:
            self._answering.discard(task)

    async def _record(self, request: web.Request) -> Received:
        raw = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        received = Received(request.method, request.path_qs, headers, raw, _parsed(raw), _peer(request))
        self.received.append(received)
        del self.received[:-KEPT]
        self._total += 1
        self._arrival.set()
        return received

    async def _answer(self, request: web.Request, received: Received) -> web.StreamResponse:
        mount = self._mount(request.path)
        exchange = Exchange(received, self._total, int(self._clock()), self._stored[mount.prefix])
        try:
            received.script = self._script_for(request, received)
            reply, ending = self._reply(mount, exchange)
        except ScriptError as mistake:
            received.script = Script()
            body = {"message": str(mistake), "type": "simulator_error", "param": None, "code": None}
            reply, ending = json_reply({"error": body}, status=400), ()
        if received.script.hang:
            await asyncio.Event().wait()
        if received.script.headers_delay:
            await asyncio.sleep(received.script.headers_delay)
        return await Sender(request, received).send(reply, ending)

    def _script_for(self, request: web.Request, received: Received) -> Script:
        given = request.headers.get(SCRIPT_HEADER)
        if given is None:
            return self._scripts.take(request.path, received.model)
        try:
            return parse_script(orjson.loads(given))
        except orjson.JSONDecodeError as mistake:
            raise ScriptError(f"the header {SCRIPT_HEADER} is not JSON") from mistake

    def _mount(self, path: str) -> Mount:
        return next((mount for mount in self._mounts if path.startswith(mount.prefix)), self._mounts[0])

    def _reply(self, mount: Mount, exchange: Exchange) -> tuple[Reply, Sequence[Event]]:
        """The answer, and the events that the script's `error_event` stands for."""
        script = exchange.received.script
        ending = _ending(mount, script, exchange)
        if script.raw is not None:
            raw = script.raw.encode("utf-8", "surrogateescape")
            return Reply(raw, content_type=script.content_type or "text/html; charset=utf-8"), ()
        reply = _scripted_error(mount, script, exchange) or mount.answer(exchange)
        if script.content_type is not None:
            reply = replace(reply, content_type=script.content_type)
        return reply, ending


def _ending(mount: Mount, script: Script, exchange: Exchange) -> Sequence[Event]:
    """The events that the script's `error_event` stands for."""
    error = script.error_event
    if error is None:
        return ()
    named = _named(mount, error, exchange) if isinstance(error, str) else NamedError(500, error)
    return named.ending()


def _scripted_error(mount: Mount, script: Script, exchange: Exchange) -> Reply | None:
    """The error that the script names, or that belongs to its status."""
    if isinstance(script.error, dict):
        return json_reply(script.error, script.status or 500)
    name = script.error
    if name is None and script.status is not None and script.status >= 400:
        name = str(script.status)
    if name is None:
        return None
    error = _named(mount, name, exchange)
    return json_reply(error.body, error.status, error.headers)


def _named(mount: Mount, name: str, exchange: Exchange) -> NamedError:
    error = mount.error(name, exchange)
    if error is None:
        raise ScriptError(f"unknown error name {name!r}")
    return error


def _parsed(raw: bytes) -> object:
    try:
        return orjson.loads(raw) if raw else None
    except orjson.JSONDecodeError:
        return None


def _peer(request: web.Request) -> str:
    """The client's host and port; "" when it is gone already."""
    peer = request.get_extra_info("peername")
    return f"{peer[0]}:{peer[1]}" if peer else ""


def _gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


@asynccontextmanager
async def serving(host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Simulator]:
    """A simulator that listens in this event loop; port 0 takes a free one.

    OSError if the port is in use. On exit all answers are cancelled, however long they would have taken.
    """
    simulator = Simulator()
    runner = web.AppRunner(simulator.app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        bound = runner.addresses[0][1]
        simulator.url = f"http://{_in_url(host)}:{bound}/v1"
        yield simulator
    finally:
        await runner.cleanup()


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
