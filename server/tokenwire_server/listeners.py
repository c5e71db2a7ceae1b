"""Whether the configured listeners can be opened, asked before any of them is."""

import socket
from pathlib import Path
from typing import Self

from tokenwire_server.settings import Settings, address


class StartError(Exception):
    """The server cannot start; the text says why and how to mend it."""

    @classmethod
    def in_use(cls, listen: str, key: str) -> Self:
        """An address that somebody else listens on."""
        twin = f"TOKENWIRE_{key.upper().replace('.', '__')}"
        return cls(
            f"{key}: {listen} cannot be opened, something else is using it; "
            f"stop that, or set {key} (environment: {twin}) to another address"
        )


def check_free(settings: Settings) -> None:
    """Raises StartError for the first listener that is taken."""
    listeners = [(listen, "server.listen") for listen in settings.server.listen]
    if settings.metrics.listen:
        listeners.append((settings.metrics.listen, "metrics.listen"))
    for listen, key in listeners:
        free = _path_free(listen) if listen.startswith("unix:") else _port_free(listen)
        if not free:
            raise StartError.in_use(listen, key)


def _port_free(listen: str) -> bool:
    host, port = address(listen)
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
            probe.listen()
    except OSError:
        return False
    return True


def _path_free(listen: str) -> bool:
    """A socket file that nobody answers on is left over from a process that is gone."""
    path = Path(listen.removeprefix("unix:"))
    if not path.exists():
        return path.parent.is_dir()
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return True
        except OSError:
            return False
    return False
