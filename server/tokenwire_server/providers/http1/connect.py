"""To a server: its addresses, the fastest of them (RFC 8305), TLS."""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from aiohappyeyeballs import AddrInfoType, start_connection

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import GatewayError
from tokenwire_server.providers.http1.connection import Connection
from tokenwire_server.providers.http1.request import Origin

_NEXT_ADDRESS_SECONDS: Final = 0.25


def tls_context() -> ssl.SSLContext:
    """That verifies certificates by what the system trusts."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class Connector:
    """Makes connections. Whoever made it closes it."""

    def __init__(self) -> None:
        self._tls = tls_context()
        self._look_ups: dict[Origin, asyncio.Task[Sequence[AddrInfoType]]] = {}

    async def connect(self, origin: Origin, seconds: float) -> Connection:
        """One that is ready to send, after so many seconds at most.

        Raises CONNECT_TIMEOUT or PROVIDER_UNAVAILABLE.
        """
        try:
            async with asyncio.timeout(seconds):
                return await self._connect(origin)
        except TimeoutError as error:
            text = "No connection to the provider in time."
            raise GatewayError(reason=Reason.CONNECT_TIMEOUT, text=text) from error
        except ssl.SSLCertVerificationError as error:
            raise GatewayError(
                reason=Reason.PROVIDER_UNAVAILABLE,
                text="The provider's certificate could not be verified.",
                spent=True,  # it is as wrong the next time, and asking again looks like an attack
            ) from error
        except (OSError, RuntimeError, UnicodeError) as error:  # uvloop's, and of names that are none
            text = "The provider could not be reached."
            raise GatewayError(reason=Reason.PROVIDER_UNAVAILABLE, text=text) from error

    async def _connect(self, origin: Origin) -> Connection:
        addresses = await self._addresses(origin)
        opened = await start_connection(addresses, happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS)
        try:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            loop, tls = asyncio.get_running_loop(), self._tls if origin.tls else None
            name = origin.host.rstrip(".") if origin.tls else None
            _, connection = await loop.create_connection(
                Connection, sock=opened, ssl=tls, server_hostname=name
            )
        except BaseException:
            opened.close()
            raise
        return connection

    async def _addresses(self, origin: Origin) -> Sequence[AddrInfoType]:
        """Of a name, looked up once for all who ask meanwhile, however many of them leave."""
        with suppress(socket.gaierror):
            return _look_up_literal(origin)
        look_up = self._look_ups.get(origin)
        if look_up is None:
            look_up = self._look_ups[origin] = asyncio.ensure_future(_look_up(origin))
            look_up.add_done_callback(lambda _: self._look_ups.pop(origin))
        return await asyncio.shield(look_up)

    async def close(self) -> None:
        """Gives up what is looked up."""
        look_ups = list(self._look_ups.values())
        for look_up in look_ups:
            look_up.cancel()
        await asyncio.gather(*look_ups, return_exceptions=True)


def _look_up_literal(origin: Origin) -> Sequence[AddrInfoType]:
    """Of an IP address, which needs no name server; gaierror for a name."""
    return socket.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)


async def _look_up(origin: Origin) -> Sequence[AddrInfoType]:
    """Of a name."""
    loop = asyncio.get_running_loop()
    return await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
