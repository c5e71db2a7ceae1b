"""Secret: a text that can be used and cannot be shown."""

import logging
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Final, NoReturn

log = logging.getLogger(__name__)


class Secret:
    """A text that is used, and never shown: not by repr, format, dump, schema or pickle.

    One that came from a file follows the file. A file that went missing or bad keeps the last good value:
    calls go on, and the log says why the new one is not used.
    """

    __slots__ = ("_checked", "_path", "_stamp", "_value")
    LARGEST: Final = 16_384
    INTERVAL: Final = 1.0
    """Seconds between two looks at the file."""

    def __init__(self, value: str, path: Path | None = None, stamp: object = None) -> None:
        self._value = value
        self._path = path
        self._stamp = stamp
        self._checked = monotonic()

    @classmethod
    def parse(cls, text: str, variables: Mapping[str, str]) -> "Secret":
        """From `env:NAME` (which may hold `file:/path`), `file:/path`, or the secret itself.

        Raises ValueError, whose text never holds what may be the secret.
        """
        if text.startswith("env:"):
            name = text.removeprefix("env:")
            if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
                raise ValueError("has no variable's name after env:; write env:NAME")
            if not (text := variables.get(name, "")):
                raise ValueError(f"names the variable {name}, which is not set; set it")
        if not text.startswith("file:"):
            return cls(_usable(text))
        path = Path(text.removeprefix("file:"))
        if not path.is_absolute():
            raise ValueError("has no absolute path after file:; write file:/path")
        try:
            # The stamp first: a change after it is seen at the next look.
            stamp = stamp_of(path)
            return cls(_usable(_content(path)), path, stamp)
        except OSError as error:
            reason = error.strerror or "no regular file"
            raise ValueError(f"names {path}, which cannot be read ({reason}); check the file") from None

    def reveal(self) -> str:
        """The value. Looks at its file at most once a second."""
        now = monotonic()
        if self._path is not None and now - self._checked >= self.INTERVAL:
            self._checked = now
            self._follow(self._path)
        return self._value

    def _follow(self, path: Path) -> None:
        stamp: object = None
        try:
            if (stamp := stamp_of(path)) != self._stamp:
                self._value = _usable(_content(path))
        except (OSError, ValueError):
            if stamp != self._stamp:  # once per change
                log.warning("the secret in %s cannot be used; keeping the last good one", path)
        self._stamp = stamp

    def __repr__(self) -> str:
        return "Secret(***)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret cannot be copied or pickled")


def stamp_of(path: Path) -> object:
    """What changes when a file does. Raises OSError for what is no regular file."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError("not a regular file")  # reading a pipe or a device might never end
    return found.st_mtime_ns, found.st_size, found.st_ino


def _content(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(Secret.LARGEST + 3).decode("utf-8", "replace").removesuffix("\n").removesuffix("\r")


def _usable(value: str) -> str:
    """The value, if it can stand in an HTTP header; ValueError else."""
    if not value.strip():
        raise ValueError("is empty; give it a value")
    if len(value) > Secret.LARGEST:
        raise ValueError(f"is longer than {Secret.LARGEST} characters; check that it is the right one")
    if not re.fullmatch(r"[\x20-\x7e\xa0-\xff]+", value) or value != value.strip():
        raise ValueError("has a line break, an outer space, or a character that no key has; copy it again")
    return value
