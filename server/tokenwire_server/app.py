"""The composition root: settings → provider clients → policies → servicer → server, and the order in
which they start and stop. The only file that knows all others."""

import asyncio
import gc
import os
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import structlog
import uvloop

from tokenwire_server import catalog
from tokenwire_server import demo as demonstration
from tokenwire_server.auth import Tokens
from tokenwire_server.fingerprint import fingerprint
from tokenwire_server.listeners import StartError, check_free
from tokenwire_server.open_files import raise_limit
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
from tokenwire_server.settings import KINDS, Auth, Settings
from tokenwire_server.signals import stop_signals
from tokenwire_server.telemetry import logs
from tokenwire_server.telemetry.endpoint import exposed
from tokenwire_server.telemetry.metrics import Metrics
from tokenwire_server.telemetry.observe import Observer
from tokenwire_server.telemetry.provider_health import ProviderHealth
from tokenwire_server.unsupported import MODES
from tokenwire_server.worker import Worker

__all__ = ["StartError", "run", "serving", "work"]

_log: Final = structlog.get_logger()

_CLEAN_UP: Final = 2.0
"""Seconds between the end of the grace and the end of the process, whatever is left by then."""
_ABANDONED: Final = 1
"""Exit status when something was."""
_NOT_STARTED: Final = 2


def run(settings: Settings, *, demo: bool) -> int:
    """Serves until SIGTERM or SIGINT and gives the process's exit status. Raises StartError.

    Ends the process with status 1, instead of giving back, when something still hangs 2 s after the grace or
    a second signal.

    With `demo`, the embedded simulator stands in where no provider is configured.
    """
    logs.configure(json=settings.production)
    raise_limit(settings.server)
    return uvloop.run(_run(settings, demo=demo and not settings.providers))


def work() -> int:
    """Serves as one of several processes, whose settings and signals come from their supervisor."""
    worker = Worker()
    logs.configure(json=worker.settings.production)
    try:
        return uvloop.run(_work(worker))
    except StartError as error:
        worker.failed(str(error))
        return _NOT_STARTED


async def _work(worker: Worker) -> int:
    signals: asyncio.Queue[str] = asyncio.Queue()
    metrics = Metrics()
    async with gateway(worker.settings, metrics) as (server, _):
        _settle()
        worker.serving(signals, metrics.registry)
        await signals.get()
        await _stop(server, signals, worker.settings.server.drain_seconds)
    return 0


async def _run(settings: Settings, *, demo: bool) -> int:
    signals = stop_signals()
    async with AsyncExitStack() as stack:
        if demo:
            settings = await stack.enter_async_context(demonstration.simulated(settings))
        server, addresses = await stack.enter_async_context(serving(settings))
        _settle()
        _log.info("serving", listen=addresses)
        if demo:
            await demonstration.show(addresses[0], needs_token=settings.auth.mode == "token")
        _log.info("stopping", signal=await signals.get(), in_flight=server.in_flight())
        await _stop(server, signals, settings.server.drain_seconds)
    _log.info("stopped")
    return 0


def _settle() -> None:
    """Spares calls what is of use at the end only. What was made before the first one is 120,000 objects, at
    which each full collection of garbage would look for 40 ms, while all calls wait. And the event loop lists
    generators to close them at its end, when none is left; a stream makes seven."""
    gc.freeze()
    sys.set_asyncgen_hooks(firstiter=None)


async def _stop(server: Server, signals: "asyncio.Queue[str]", grace: float) -> None:
    """Lets calls in flight end; a second signal ends them."""
    _end_within(grace + _CLEAN_UP, server)
    stopping = asyncio.ensure_future(server.stop())
    hurry = asyncio.ensure_future(signals.get())
    await asyncio.wait((stopping, hurry), return_when=asyncio.FIRST_COMPLETED)
    if not stopping.done():
        _end_within(_CLEAN_UP, server)
        await server.abort()
    hurry.cancel()
    await stopping


def _end_within(seconds: float, server: Server) -> None:
    """Bounds the rest of the process's life. From a thread, as what hangs may be the event loop."""

    def abandon() -> None:
        _log.error("abandoned", in_flight=server.in_flight())
        os._exit(_ABANDONED)

    timer = threading.Timer(seconds, abandon)
    timer.daemon = True
    timer.start()


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[tuple[Server, list[str]]]:
    """A running server, with its metrics, and its addresses. Leaving the context stops what is still running
    at once. Raises StartError before any port is open."""
    check_free(settings)
    metrics = Metrics()
    with exposed(metrics.registry, settings.metrics.listen):
        async with gateway(settings, metrics) as running:
            yield running


@asynccontextmanager
async def gateway(settings: Settings, metrics: Metrics) -> AsyncIterator[tuple[Server, list[str]]]:
    """The same on ports that are known to be free, without an endpoint for the metrics."""
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
        seen.circuit_open, seen.keys_refused = route.circuit_open, route.refused
        metrics.watch_queue(lambda: backend.in_flight, lambda: backend.queued)
        models = Models(
            {name: keys[0] for name, keys in providers.items()},
            settings.models.ttl_seconds,
            aliases=_other_names(settings),
        )
        stack.push_async_callback(models.close)
        observer = Observer(metrics, seen)
        stack.callback(observer.flush)
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
                observer,
                provider_keys=settings.auth.provider_keys,
                authentication=_authentication(settings.auth),
            ),
            health,
        )
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
