"""Which model of which provider a call means: `ChatRequest.model` → Target."""

from collections.abc import Collection, Mapping

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.call import Target
from tokenwire_server.errors import GatewayError, Violation, invalid


class Resolver:
    """Resolves the names that callers use for models.

    `default_models` holds the default model of each configured provider ("" = none), `known_kinds` the
    names that providers usually have, and `default` what an empty name means.
    """

    def __init__(self, default_models: Mapping[str, str], known_kinds: Collection[str], default: str) -> None:
        self._default_models = default_models
        self._known_kinds = known_kinds
        self._default = self._default_target(default)

    def resolve(self, model: str) -> Target:
        """The target; raises INVALID_REQUEST, PROVIDER_NOT_CONFIGURED or MODEL_NOT_FOUND."""
        if not model:
            if not self._default.model:
                raise invalid("model", "No model is named, and the server has no default model.")
            return self._default
        named = self._split(model)
        if named:
            return named
        if not self._default.provider:
            raise GatewayError(
                reason=Reason.MODEL_NOT_FOUND,
                text="No configured provider is known to have the model; write it as provider/model.",
                violations=[Violation("model", "Write it as provider/model.")],
                resource=model,
            )
        return Target(self._default.provider, model)

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
        named = self._split(default) or Target(only, default if only else "")
        return Target(named.provider, self._default_models.get(named.provider) or named.model)
