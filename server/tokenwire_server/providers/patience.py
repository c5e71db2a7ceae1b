"""How long a provider is waited for: by its settings, by the model, and by whether the model reasons."""

from functools import cache
from typing import Final, NamedTuple

from tokenwire_server.call import UNBOUNDED
from tokenwire_server.provider_settings import ModelTimeouts
from tokenwire_server.settings import Provider

_USUAL: Final = ModelTimeouts()


class Patience(NamedTuple):
    """Seconds."""

    connect: float
    first_token: float
    idle: float
    """Between two events of a stream."""
    total: float


@cache
def at_once(patience: Patience) -> Patience:
    """The same for an answer that comes at once. There are as many as the settings have."""
    return patience._replace(first_token=UNBOUNDED)


def patience_for(settings: Provider, model: str, *, reasons: bool) -> Patience:
    """That of one call. A model that reasons is silent for longer; what is said of the model itself wins."""
    usual = settings.timeouts
    own = settings.model_timeouts.get(model, _USUAL)
    return Patience(
        own.connect or usual.connect,
        own.first_token or (usual.reasoning_first_token if reasons else usual.first_token),
        own.idle or (usual.reasoning_idle if reasons else usual.idle),
        own.total or usual.total,
    )
