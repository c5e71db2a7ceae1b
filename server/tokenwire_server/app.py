"""The composition root: settings → provider clients → policies → servicer → server, and the order in
which they start and stop. The only file that knows all others."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import structlog
import uvloop
from prometheus_client import start_http_server

from tokenwire_server import catalog
from tokenwire_server import demo as demonstration
from tokenwire_server.auth import Tokens
from tokenwire_server.fingerprint import fingerprint
from tokenwire_server.listeners import StartError, check_free
from tokenwire_server.policy.admit import Admit
from tokenwire_server.policy.attempts import Attempts
from tokenwire_server.policy.hedge import Hedge
from tokenwire_server.policy.models import Models
from tokenwire_server.policy.resolve import Alias, Aliases, Resolver
from tokenwire_server.policy.route import Route
from tokenwire_server.providers.http import HttpClient
from tokenwire_server.providers.registry import provider_backends
from tokenwire_server.rpc.authentication import Authentication
from tokenwire_server.rpc.boundary import Boundary
from tokenwire_server.rpc.health import Health
from tokenwire_server.rpc.server import BindError, Server
from tokenwire_server.rpc.servicer import Answering, LLMServicer
from tokenwire_server.settings import KINDS, Auth, Settings, address
from tokenwire_server.telemetry import logs
from tokenwire_server.telemetry.metrics import Metrics
from tokenwire_server.telemetry.observe import Observer
from tokenwire_server.telemetry.provider_health import ProviderHealth
from tokenwire_server.unsupported import MODES

__all__ = ["StartError", "run", "serving"]

_log: Final = structlog.get_logger()


def run(settings: Settings, *, demo: bool) -> int:
    """Serves until SIGTERM or SIGINT and gives the process's exit status. Raises StartError.

    With `demo`, the embedded simulator stands in where no provider is configured.
    """
    logs.configure(json=settings.production)
    return uvloop.run(_run(settings, demo=demo and not settings.providers))


async def _run(settings: Settings, *, demo: bool) -> int:
    signals = _Signals()
    async with AsyncExitStack() as stack:
        if demo:
            settings = await stack.enter_async_context(demonstration.simulated(settings))
        server, addresses = await stack.enter_async_context(serving(settings))
        _log.info("serving", listen=addresses)
        if demo:
            await demonstration.show(addresses[0], needs_token=settings.auth.mode == "token")
        _log.info("stopping", signal=await signals.next(), in_flight=server.in_flight())
        await _stop(server, signals)
    _log.info("stopped")
    return 0


async def _stop(server: Server, signals: "_Signals") -> None:
    """Lets calls in flight end; a second signal ends them."""
    stopping = asyncio.ensure_future(server.stop())
    hurry = asyncio.ensure_future(signals.next())
    await asyncio.wait((stopping, hurry), return_when=asyncio.FIRST_COMPLETED)
    if not stopping.done():
        await server.abort()
    hurry.cancel()
    await stopping


class _Signals:
    """SIGTERM and SIGINT, one at a time."""

    def __init__(self) -> None:
        self._came: asyncio.Queue[str] = asyncio.Queue()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._came.put_nowait, number.name)

    async def next(self) -> str:
        """Waits for one and gives its name."""
        return await self._came.get()


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[tuple[Server, list[str]]]:
    """A running server and its addresses. Leaving the context stops what is still running at once.

    Raises StartError before any port is open.
    """
    check_free(settings)
    metrics = Metrics()
    kinds = {name: provider.kind for name, provider in settings.providers.items()}
    seen = ProviderHealth(kinds, KINDS, metrics)
    health = Health(seen, fingerprint(settings), asks_callers=settings.auth.mode == "token")
    async with AsyncExitStack() as stack:
        http = HttpClient()
        stack.push_async_callback(http.close)
        known = catalog.load(settings.catalog)
        providers = provider_backends(settings, known, http)
        route = Route(providers)
        backend = Admit(
            Attempts(Hedge(route), settings.attempts.max_calls, settings.attempts.max_wait_seconds),
            settings.server.max_in_flight,
            settings.server.max_queued,
        )
        seen.circuit_open = route.circuit_open
        metrics.watch_queue(lambda: backend.in_flight, lambda: backend.queued)
        models = Models(
            {name: keys[0] for name, keys in providers.items()},
            settings.models.ttl_seconds,
            aliases=_other_names(settings),
        )
        stack.push_async_callback(models.close)
        server = Server(
            settings.server,
            LLMServicer(
                Answering(backend, route, models, health),
                _aliases(settings, known),
                settings.server,
                MODES[settings.defaults.unsupported_parameters],
            ),
            Boundary(
                settings.server,
                Observer(metrics, seen),
                provider_keys=settings.auth.provider_keys,
                authentication=_authentication(settings.auth),
            ),
            health,
        )
        _expose(metrics, settings.metrics.listen, stack)
        try:
            addresses = await server.start()
        except BindError as error:
            raise StartError.in_use(str(error), "server.listen") from error
        stack.push_async_callback(server.abort)
        yield server, addresses


def _aliases(settings: Settings, known: catalog.Catalog) -> Aliases:
    kinds = {name: provider.kind for name, provider in settings.providers.items()}
    defaults = {name: provider.default_model for name, provider in settings.providers.items()}

    aliases = {
        name: Alias(alias.targets, alias.weights, alias.hedge_after_seconds)
        for name, alias in settings.aliases.items()
    }

    def holder(model: str) -> str:
        """By exact names: who only begins alike may be anybody's, and prompts must not go astray."""
        return next((name for name, kind in kinds.items() if known.facts(kind, model)), "")

    return Aliases(
        Resolver(defaults, KINDS, settings.defaults.model, holder), aliases, settings.defaults.model
    )


def _other_names(settings: Settings) -> dict[str, list[str]]:
    """Model → the aliases that may mean it."""
    found: dict[str, list[str]] = {}
    for name, alias in settings.aliases.items():
        for target in alias.targets:
            found.setdefault(target, []).append(name)
    return found


def _authentication(auth: Auth) -> Authentication | None:
    return Authentication(Tokens(auth.tokens, auth.tokens_file)) if auth.mode == "token" else None


def _expose(metrics: Metrics, listen: str, stack: AsyncExitStack) -> None:
    """Serves the metrics from a thread of their own, so that a busy event loop can still be seen."""
    if not listen:
        return
    host, port = address(listen)
    try:
        httpd, thread = start_http_server(port, host, metrics.registry)
    except OSError as error:
        raise StartError.in_use(listen, "metrics.listen") from error
    stack.callback(httpd.server_close)
    stack.callback(thread.join)
    stack.callback(httpd.shutdown)
