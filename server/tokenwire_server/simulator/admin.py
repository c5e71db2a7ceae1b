"""The endpoints under /_sim, for tests in any language.

POST   /_sim/scripts    queue scripts: a list of them, or one
PUT    /_sim/defaults   the script of all requests that no other script serves
GET    /_sim/requests   what was received, oldest first
DELETE /_sim/requests   forget what was received and all scripts
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

import orjson
from aiohttp import web

from tokenwire_server.simulator.records import Received
from tokenwire_server.simulator.script import Script, ScriptError, parse_script

PREFIX = "/_sim/"


class Controls(Protocol):
    """What the endpoints act on."""

    @property
    def received(self) -> list[Received]: ...

    def script(self, *scripts: Script) -> None: ...

    def set_default(self, script: Script) -> None: ...

    def clear(self) -> None: ...


def routes(controls: Controls) -> list[web.RouteDef]:
    """The endpoints as routes."""

    async def add(request: web.Request) -> web.Response:
        value = await _json(request)
        scripts = [parse_script(item) for item in (value if isinstance(value, list) else [value])]
        controls.script(*scripts)
        return _reply({"queued": len(scripts)})

    async def set_default(request: web.Request) -> web.Response:
        controls.set_default(parse_script(await _json(request)))
        return _reply({})

    async def requests(_request: web.Request) -> web.Response:
        return _reply([received.report() for received in controls.received])

    async def clear(_request: web.Request) -> web.Response:
        controls.clear()
        return _reply({})

    return [
        web.post(f"{PREFIX}scripts", _named(add)),
        web.put(f"{PREFIX}defaults", _named(set_default)),
        web.get(f"{PREFIX}requests", _named(requests)),
        web.delete(f"{PREFIX}requests", _named(clear)),
    ]


_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _named(handler: _Handler) -> _Handler:
    """The handler, with mistakes in a script as status 400."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except ScriptError as mistake:
            return _reply({"error": {"message": str(mistake), "type": "simulator_error"}}, status=400)

    return guarded


async def _json(request: web.Request) -> object:
    try:
        return orjson.loads(await request.read())
    except orjson.JSONDecodeError as mistake:
        raise ScriptError("the body is not JSON") from mistake


def _reply(value: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")
