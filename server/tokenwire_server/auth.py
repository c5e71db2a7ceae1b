"""Tokens of callers: kept as hashes only, and compared in constant time.

A token is a text that an `authorization: Bearer` header can hold. What is stored of it is its SHA-256, in
the settings or in a file; both are public beside the token itself, which has 256 random bits.
"""

import hmac
import logging
import re
import secrets
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Final, TypeAlias

from tokenwire_server.secret import stamp_of

log = logging.getLogger(__name__)

Stored: TypeAlias = Mapping[bytes, str]
"""SHA-256 of a token → the name of its caller. A caller may have several tokens."""

SHORTEST: Final = 22
"""Characters of a token: 128 bits in base64. A shorter one can be guessed from its hash."""

_PREFIX: Final = "tw_"
_NAME: Final = re.compile(rf"(?!{_PREFIX})[A-Za-z0-9_-]{{1,64}}")
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]{1,4096}={0,2}")
_HASH: Final = re.compile(r"sha256:([0-9A-Fa-f]{64})")


def new_token() -> str:
    """A token that nobody has yet."""
    return _PREFIX + secrets.token_urlsafe(32)


def is_token(text: str) -> bool:
    """Whether a text can be sent as a bearer token."""
    return _TOKEN.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """Whether a caller may have this name: a plain word, and nothing that looks like a token."""
    return _NAME.fullmatch(text) is not None


def hash_of(token: str) -> str:
    """What is stored of a token: `sha256:` and 64 digits."""
    return f"sha256:{_digest(token).hex()}"


def stored(rows: Iterable[tuple[str, str]]) -> Stored:
    """From rows of a name and a hash. Raises ValueError, whose text holds nothing that may be a token."""
    found: dict[bytes, str] = {}
    for name, text in rows:
        if not is_name(name):
            raise ValueError(
                "has a name that is not 1 to 64 of A-Z, a-z, 0-9, _ and -, or that is a token; correct it"
            )
        if not (match := _HASH.fullmatch(text)):
            raise ValueError(
                f"has no hash for {name}; "
                f"`tokenwire token new {name}` makes one, of a token of yours with --hash"
            )
        digest = bytes.fromhex(match[1])
        if digest in found:
            raise ValueError(f"has one hash twice, for {found[digest]} and {name}; remove one")
        found[digest] = name
    return found


class TokenFile:
    """A file with one `NAME sha256:…` in each line, and comments after `#`.

    Looked at again at most once a second. A file that went missing or bad keeps the last good tokens.
    """

    LARGEST: Final = 4 * 1024 * 1024
    INTERVAL: Final = 1.0
    """Seconds between two looks at the file."""

    def __init__(self, text: str) -> None:
        """Reads the file with this absolute path. Raises ValueError."""
        path = Path(text)
        if not path.is_absolute():
            raise ValueError("is no absolute path; write /path")
        try:
            # The stamp first: a change after it is seen at the next look.
            self._stamp = stamp_of(path)
            self._stored = _read(path)
        except OSError as error:
            reason = error.strerror or "no regular file"
            raise ValueError(f"names {path}, which cannot be read ({reason}); check the file") from None
        self._path = path
        self._checked = monotonic()

    def stored(self) -> Stored:
        """Its tokens; another object once they have changed."""
        now = monotonic()
        if now - self._checked >= self.INTERVAL:
            self._checked = now
            self._follow()
        return self._stored

    def _follow(self) -> None:
        stamp: object = None
        try:
            if (stamp := stamp_of(self._path)) != self._stamp:
                self._stored = _read(self._path)
        except (OSError, ValueError) as error:
            if stamp != self._stamp:  # once per change
                reason = error.strerror if isinstance(error, OSError) else error
                log.warning("the tokens in %s cannot be used (%s); keeping the last", self._path, reason)
        self._stamp = stamp

    def __str__(self) -> str:
        return str(self._path)

    def __repr__(self) -> str:
        return f"TokenFile({str(self)!r})"


class Tokens:
    """Tells whose a token is."""

    def __init__(self, known: Stored, file: TokenFile | None = None) -> None:
        self._known = known
        self._file = file
        self._read: Stored | None = None
        self._rows = tuple(known.items())

    def caller(self, token: str) -> str | None:
        """The name of the caller who has this token. Compares with all hashes, whichever one it is."""
        presented, found = _digest(token), None
        for digest, name in self._all():
            if hmac.compare_digest(digest, presented):
                found = name
        return found

    def _all(self) -> tuple[tuple[bytes, str], ...]:
        if self._file is not None and (read := self._file.stored()) is not self._read:
            self._read = read
            self._rows = tuple({**read, **self._known}.items())
        return self._rows


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()


def _read(path: Path) -> Stored:
    with path.open("rb") as file:
        content = file.read(TokenFile.LARGEST + 1)
    if len(content) > TokenFile.LARGEST:
        raise ValueError(f"is larger than {TokenFile.LARGEST} bytes; check that it is the right one")
    return stored(_rows(content.decode("utf-8-sig", "replace")))


def _rows(text: str) -> Iterable[tuple[str, str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        match line.partition("#")[0].split():
            case []:
                pass
            case [name, found] if is_name(name):
                yield name, found
            case _:
                raise ValueError(f"has a line {number} that is not NAME sha256:…; write that, or remove it")
