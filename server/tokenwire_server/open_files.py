"""Open files: a connection is one, and the soft limit of most systems, 1024, is made for less."""

import resource
from contextlib import suppress
from typing import Final

import structlog

from tokenwire_server.settings import Server

_log: Final = structlog.get_logger()
_OWN: Final = 64
"""What the process has open without any call: listeners, libraries, the log."""


def raise_limit(server: Server) -> None:
    """Raises the process's soft limit to the hard one. Warns when that is less than the settings may need:
    connections would then wait for others to end."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # a sandbox may refuse
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = server.max_connections * len(server.listen) + server.max_in_flight + _OWN
    if limit != resource.RLIM_INFINITY and limit < needed:
        _log.warning("open_files", limit=limit, needed=needed)
