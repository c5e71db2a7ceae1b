"""Whether the configured listeners can be opened, asked before any of them is; ports that processes share."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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


@contextmanager
def reserved(settings: Settings) -> Iterator[tuple[str, ...]]:
    """Within the context the processes of this server may share its ports, and no second server may. Gives
    the addresses, for port 0 with the port that was chosen. Raises StartError."""
    check_free(settings)
    with ExitStack() as stack:
        yield tuple(_reserve(listen, stack) for listen in settings.server.listen)


def _reserve(listen: str, stack: ExitStack) -> str:
    try:
        family, kind, protocol, _, place = _resolved(listen)
        port = stack.enter_context(socket.socket(family, kind, protocol))
        port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        port.bind(place)
        found = f"{listen.rpartition(':')[0]}:{port.getsockname()[1]}"
        # SO_REUSEPORT lets any server in; this name only one.
        lock = stack.enter_context(socket.socket(socket.AF_UNIX))
        lock.bind(f"\0tokenwire {found}")
    except OSError as error:
        raise StartError.in_use(listen, "server.listen") from error
    return found


def _port_free(listen: str) -> bool:
    try:
        family, kind, protocol, _, place = _resolved(listen)
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
            probe.listen()
    except OSError:
        return False
    return True


def _resolved(listen: str) -> tuple[int, int, int, str, tuple[object, ...]]:
    host, port = address(listen)
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]


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
