"""Which models there are: asked of the providers side by side, kept in memory, given out in pages."""

import asyncio
from base64 import b64decode, urlsafe_b64encode
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Final

import structlog

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire.v1.models_pb2 import ListModelsRequest, ListModelsResponse, Model
from tokenwire_server.backend import ModelSource
from tokenwire_server.call import Call, now
from tokenwire_server.errors import GatewayError, Violation, invalid

_log: Final = structlog.get_logger()

_PATIENCE: Final = 5.0
"""Seconds that a caller waits for providers of which nothing is known yet."""
_FAILED_SECONDS: Final = 10.0
"""How long a provider that failed is not asked again."""
_PAGE: Final = 100


class Models:
    """Lists the models of all providers.

    A list is good for `ttl` seconds of `clock`; an older one is still given out, while a newer one is asked
    for behind it. A caller waits only for providers that have never answered. However many callers want a
    list, its provider is asked once, and goes on being asked when they leave. Whoever made this closes it.
    `aliases` has other names of models by their names.
    """

    def __init__(
        self,
        sources: Mapping[str, ModelSource],
        ttl: float,
        clock: Callable[[], float] = now,
        aliases: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        # Lists one after the other are in the order of models' names, because no provider's name has a slash.
        names = sorted(sources, key=lambda name: f"{name}/")
        self._listings: Final = {name: _Listing(name, sources[name], ttl, clock, aliases) for name in names}

    async def list_models(self, request: ListModelsRequest, call: Call) -> ListModelsResponse:
        """A page of them. Raises PROVIDER_NOT_CONFIGURED, or INVALID_REQUEST for a page token not from here.

        A page begins after the last name of the one before, whatever came or went in between.
        """
        listings = self._wanted(request.provider)
        last = _last_name(request)
        await _wait(listings, call)
        models = [model for listing in listings for model in listing.models or ()]
        start = bisect_right(models, last, key=lambda model: model.name)
        end = start + (request.page_size or _PAGE)
        return ListModelsResponse(
            models=models[start:end],
            next_page_token=_token(request.provider, models[end - 1].name) if end < len(models) else "",
            unreachable=[listing.name for listing in listings if listing.unreachable],
        )

    async def close(self) -> None:
        """Ends what is still being asked."""
        asking = [listing.asking for listing in self._listings.values() if listing.asking]
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    def _wanted(self, provider: str) -> "Sequence[_Listing]":
        if not provider:
            return [*self._listings.values()]
        if provider not in self._listings:
            raise GatewayError(
                reason=Reason.PROVIDER_NOT_CONFIGURED,
                text="The named provider is not configured on this server.",
                violations=[Violation("provider", "It is not configured.")],
            )
        return [self._listings[provider]]


class _Listing:
    """What one provider has listed."""

    def __init__(
        self,
        name: str,
        source: ModelSource,
        ttl: float,
        clock: Callable[[], float],
        aliases: Mapping[str, Sequence[str]],
    ) -> None:
        self.name: Final = name
        self.models: Sequence[Model] | None = None
        """None: it has never answered."""
        self.asking: asyncio.Task[None] | None = None
        self._source = source
        self._ttl = ttl
        self._clock = clock
        self._aliases = aliases
        self._due = clock()
        self._failing = False

    @property
    def unreachable(self) -> bool:
        """Whether it could not be asked the last time, or has not answered yet."""
        return self._failing or self.models is None

    def refresh(self) -> asyncio.Task[None] | None:
        """Asks the provider when it is time to; gives the asking that is under way."""
        if self.asking is None and self._clock() >= self._due:
            self.asking = asyncio.create_task(self._ask())
        return self.asking

    async def _ask(self) -> None:
        try:
            models = await self._source.models()
            for model in models:
                model.aliases.extend(self._aliases.get(model.name, ()))
            self.models = models
            self._failing, self._due = False, self._clock() + self._ttl
        except Exception as error:  # noqa: BLE001 (a fault of ours must be seen too, and nobody awaits this)
            self._failing, self._due = True, self._clock() + _FAILED_SECONDS
            reason = error.reason if isinstance(error, GatewayError) else Reason.INTERNAL
            _log.warning("models not listed", provider=self.name, reason=Reason.Name(reason), exc_info=error)
        finally:
            self.asking = None


async def _wait(listings: Sequence[_Listing], call: Call) -> None:
    """Refreshes what is old, and waits a while for those of which nothing is known."""
    asking = [(listing, listing.refresh()) for listing in listings]
    unknown = [task for listing, task in asking if task and listing.models is None]
    if unknown:
        began = now()
        await asyncio.wait(unknown, timeout=min(_PATIENCE, call.remaining()))
        call.upstream_seconds += now() - began


def _token(provider: str, last: str) -> str:
    return urlsafe_b64encode(f"{provider} {last}".encode()).decode()


def _last_name(request: ListModelsRequest) -> str:
    """The name that the page begins after."""
    if not request.page_token:
        return ""
    with suppress(ValueError):
        text = b64decode(request.page_token, b"-_", validate=True).decode()
        provider, space, last = text.partition(" ")
        if space and provider == request.provider:
            return last
    raise invalid("page_token", "It is not one that this server gave for such a request.")
