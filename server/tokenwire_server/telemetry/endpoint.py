"""Where Prometheus asks for the metrics."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server

from tokenwire_server.listeners import StartError
from tokenwire_server.settings import address


@contextmanager
def exposed(registry: CollectorRegistry, listen: str) -> Iterator[None]:
    """Serves the metrics within the context, from threads of their own, so that a busy event loop can still
    be seen. An empty address serves none. Raises StartError."""
    if not listen:
        yield
        return
    host, port = address(listen)
    try:
        httpd, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise StartError.in_use(listen, "metrics.listen") from error
    try:
        yield
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()
