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


def head(method: str, to: Target, headers: Mapping[str, str]) -> bytes:
    """A request's head. Raises ValueError for a header that would begin another one."""
    lines = [f"{method} {to.path} HTTP/1.1", f"host: {to.authority}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    text = "\r\n".join(lines)
    if text.count("\n") >= len(lines) or text.count("\r") >= len(lines) or "\0" in text:
        raise ValueError("a header has a line break in it")
    return f"{text}\r\n\r\n".encode()
