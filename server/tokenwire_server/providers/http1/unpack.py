"""Bodies that were compressed although nobody asked for it."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from typing import Final

from tokenwire_server.providers.http1.connection import truncated

PACKED: Final = frozenset({"gzip", "x-gzip", "deflate"})
"""The content codings that are understood; others are passed on as they are."""
_MOST: Final = 256 * 1024
"""Bytes that are unpacked at once, so that a cap holds and others have their turn."""
_EITHER: Final = 32 + zlib.MAX_WBITS
"""Told apart by how it begins, gzip or zlib."""


class Unpacker:
    """Reads as much of a packed body at a time as a cap can be held with."""

    def __init__(self, read: Callable[[], Awaitable[bytes]]) -> None:
        self._read = read
        self._zlib = zlib.decompressobj(_EITHER)
        self._packed = b""
        self._began = False

    async def read(self) -> bytes:
        """Some of the body; b"" at the end. Raises STREAM_TRUNCATED when it was cut off or not packed so."""
        while True:
            await asyncio.sleep(0)  # a part may be empty, and a body have many of them
            if body := self._unpack():
                return body
            if not self._packed:
                self._packed = await self._read()
                if not self._packed and self._began and not self._zlib.eof:
                    raise truncated()
                if not self._packed:
                    return b""
                self._began = True

    def _unpack(self) -> bytes:
        try:
            body = self._zlib.decompress(self._packed, _MOST)
        except zlib.error as error:
            raise truncated() from error
        self._packed = self._zlib.unconsumed_tail or self._zlib.unused_data
        if self._zlib.eof and self._packed:  # a file of several parts
            self._zlib = zlib.decompressobj(_EITHER)
        return body
