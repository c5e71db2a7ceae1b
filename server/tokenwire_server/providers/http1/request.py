"""A request's bytes, as RFC 9112 has them."""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, urlsplit


class Origin(NamedTuple):
    """Where connections go to."""

    host: str
    port: int
    tls: bool


class Target(NamedTuple):
    """A URL, taken apart."""

    origin: Origin
    path: str
    """With the query."""
    authority: str
    """What the header `host` says."""


@lru_cache(maxsize=1024)
def target(url: str) -> Target:
    """Of an http or https URL without user and fragment, which settings have checked."""
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    origin = Origin(parts.hostname or "", parts.port or (443 if tls else 80), tls)
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    return Target(origin, f"{path}?{parts.query}" if parts.query else path, parts.netloc)


class Request(NamedTuple):
    """A request without its body, which may be sent any number of times."""

    origin: Origin
    head: bytes
    """Without the body's length and the blank line."""

    def sized(self, body: bytes) -> bytes:
        """The whole head of a request with this body."""
        return b"%scontent-length: %d\r\n\r\n" % (self.head, len(body)) if body else self.head + b"\r\n"


def request(method: str, url: str, headers: Mapping[str, str]) -> Request:
    """Raises ValueError for a header that would begin another one."""
    to = target(url)
    lines = [f"{method} {to.path} HTTP/1.1", f"host: {to.authority}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    text = "\r\n".join(lines)
    if text.count("\n") >= len(lines) or text.count("\r") >= len(lines) or "\0" in text:
        raise ValueError("a header has a line break in it")
    return Request(to.origin, f"{text}\r\n".encode())
