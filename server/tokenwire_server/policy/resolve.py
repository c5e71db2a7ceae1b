"""Which models of which providers a call means: `ChatRequest.model` and `fallback_models` → Targets."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import choices
from typing import Final

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.call import Target
from tokenwire_server.errors import GatewayError, Violation, invalid

_REMEMBERED: Final = 1024
"""Names, the latest ones."""


class Resolver:
    """Resolves the names that callers use for models.

    `default_models` holds the default model of each configured provider ("" = none), `known_kinds` the
    names that providers usually have, and `default` what an empty name means. `holder` gives the name of a
    configured provider that is known to have a model, or an empty text.
    """

    def __init__(
        self,
        default_models: Mapping[str, str],
        known_kinds: Collection[str],
        default: str,
        holder: Callable[[str], str] = lambda _: "",
    ) -> None:
        self._default_models = default_models
        self._known_kinds = known_kinds
        self._holder = holder
        self._default = self._default_target(default)
        self.resolve: Final = lru_cache(_REMEMBERED)(self._resolve)
        """The target; raises INVALID_REQUEST, PROVIDER_NOT_CONFIGURED or MODEL_NOT_FOUND."""

    def _resolve(self, model: str) -> Target:
        if not model:
            if not self._default.model or not self._default.provider:
                raise invalid("model", "No model is named, and the server has no default model.")
            return self._default
        named = self._split(model)
        if named:
            return named
        provider = self._holder(model) or self._default.provider
        if not provider:
            raise GatewayError(
                reason=Reason.MODEL_NOT_FOUND,
                text="No configured provider is known to have the model; write it as provider/model.",
                violations=[Violation("model", "Write it as provider/model.")],
                resource=model,
            )
        return Target(provider, model)

    def _split(self, model: str) -> Target | None:
        """What `provider/model` names; None when it is no such form."""
        provider, slash, rest = model.partition("/")
        if not slash:
            return None
        if provider in self._default_models:
            if not rest:
                raise invalid("model", "No model is named after the provider.")
            return Target(provider, rest)
        if provider in self._known_kinds:
            raise GatewayError(
                reason=Reason.PROVIDER_NOT_CONFIGURED,
                text="The named provider is not configured on this server.",
                violations=[Violation("model", "Its provider is not configured.")],
            )
        return None

    def _default_target(self, default: str) -> Target:
        """What an empty name means: a provider's own default comes before the server's for it."""
        only = next(iter(self._default_models)) if len(self._default_models) == 1 else ""
        named = self._split(default) or Target(self._holder(default) or only, default)
        return Target(named.provider, self._default_models.get(named.provider) or named.model)


@dataclass(frozen=True, slots=True)
class Alias:
    """Targets as `provider/model`, first the one to ask first.

    With `weights`, one for each, the first one is drawn by them, and the others follow in their order.
    """

    targets: tuple[str, ...]
    weights: tuple[int, ...] = ()
    hedge_after: float | None = None
    """Seconds without content after which a stream is asked for once more."""


class Aliases:
    """Resolves the names that callers use to all targets that may answer, in order.

    Raises what the Resolver raises when an alias names what it does not know. `default` is what an empty name
    means, where it is an alias.
    """

    def __init__(self, resolver: Resolver, aliases: Mapping[str, Alias], default: str = "") -> None:
        self._resolver = resolver
        self._aliases = {
            name: (tuple(map(resolver.resolve, alias.targets)), alias.weights)
            for name, alias in aliases.items()
        }
        self._hedges = {name: alias.hedge_after for name, alias in aliases.items()}
        if default in self._aliases:
            self._aliases[""] = self._aliases[default]
            self._hedges[""] = self._hedges[default]

    def hedge_after(self, model: str) -> float | None:
        """Seconds without content after which a stream is asked for once more; None = it is not."""
        return self._hedges.get(model)

    def targets(self, model: str, fallback_models: Sequence[str]) -> tuple[Target, ...]:
        """At least one, none twice; raises INVALID_REQUEST, PROVIDER_NOT_CONFIGURED or MODEL_NOT_FOUND."""
        if not fallback_models and model not in self._aliases:
            return (self._resolver.resolve(model),)
        return tuple(dict.fromkeys([*self._named(model), *self._fallbacks(fallback_models)]))

    def same_model(self, model: str, fallback_models: Sequence[str]) -> tuple[Target, ...]:
        """Those that have the model of the first one as written, whatever the weights: vectors of different
        models must never mix, nor those of one call with the next one's."""
        found = self.targets(model, fallback_models)
        written, _ = self._aliases.get(model, (found, ()))
        for index, name in enumerate(fallback_models):
            if any(target.model != written[0].model for target in self._named(name)):
                raise invalid(f"fallback_models[{index}]", "It is another model, with other vectors.")
        return tuple(target for target in found if target.model == written[0].model)

    def _fallbacks(self, models: Sequence[str]) -> Iterator[Target]:
        for index, name in enumerate(models):
            path = f"fallback_models[{index}]"
            if not name:
                raise invalid(path, "It is empty.")
            try:
                yield from self._named(name)
            except GatewayError as error:
                error.violations = [type(found)(path, found.text) for found in error.violations]
                raise

    def _named(self, name: str) -> Sequence[Target]:
        if name not in self._aliases:
            return (self._resolver.resolve(name),)
        targets, weights = self._aliases[name]
        if not weights:
            return targets
        (first,) = choices(targets, weights)  # noqa: S311 (spreads load)
        return (first, *(target for target in targets if target != first))
