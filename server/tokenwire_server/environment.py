"""Where settings come from, weakest first:

    DEFAULT_MODEL, OPENAI_API_KEY, …   plain variables, as other tools know them
    tokenwire.toml
    TOKENWIRE_SERVER__LISTEN, …        the twins of its keys
    the command line

Variables are those of the process and, where it has none of a name, those of `.env`. All end in one Tree:
a nested dict, and of each key where it came from. What is wrong with a source is collected as a Mistake;
whether the values make sense is for `settings` to judge.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Final

from dotenv.parser import Binding, parse_stream

Loc = tuple[str | int, ...]
"""The way to a value: `("providers", "openai", "api_key")`."""

DEEPEST: Final = 4
"""Tables in tables that any key has; what lies deeper is unknown as a whole."""

PREFIX: Final = "TOKENWIRE_"
NO_SETTINGS: Final = frozenset(f"TOKENWIRE_{name}" for name in ("CONFIG", "TARGET", "TOKEN", "RECORDINGS"))
"""Variables with our prefix that other parts read."""

PLAIN: Final[Mapping[str, tuple[str, ...]]] = {
    "environment": ("ENVIRONMENT", "OPENAI_ENVIRONMENT"),
    "defaults.model": ("DEFAULT_MODEL",),
    "defaults.max_output_tokens": ("DEFAULT_MAX_TOKENS",),
    "defaults.temperature": ("DEFAULT_TEMPERATURE",),
}
"""Key → the plain variables that fill it; the first that is set wins."""

PLAIN_PROVIDERS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "openai": {
        "api_key": ("OPENAI_API_KEY",),
        "base_url": ("OPENAI_BASE_URL",),
        "organization": ("OPENAI_ORG", "OPENAI_ORG_ID"),
        "project": ("OPENAI_PROJECT", "OPENAI_PROJECT_ID"),
        "default_model": ("OPENAI_MODEL", "OPENAI_DEFAULT_MODEL"),
        "default_max_output_tokens": ("OPENAI_MAX_TOKENS", "OPENAI_DEFAULT_MAX_TOKENS"),
        "default_temperature": ("OPENAI_TEMPERATURE", "OPENAI_DEFAULT_TEMPERATURE"),
    },
    "mistral": {
        "api_key": ("MISTRAL_API_KEY",),
        "base_url": ("MISTRAL_BASE_URL",),
        "default_model": ("MISTRAL_MODEL", "MISTRAL_DEFAULT_MODEL"),
        "default_max_output_tokens": ("MISTRAL_MAX_TOKENS", "MISTRAL_DEFAULT_MAX_TOKENS"),
        "default_temperature": ("MISTRAL_TEMPERATURE", "MISTRAL_DEFAULT_TEMPERATURE"),
    },
}
"""Kind → the same for a provider of that kind and name. `api_key` decides whether it exists."""

SDK_PREFIXES: Final = ("OPENAI_", "AZURE_OPENAI_", "MISTRAL_")


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something that must be put right before the server can start; one printable line."""

    where: str
    text: str
    """What is wrong and how to fix it; never a secret's value."""

    def __str__(self) -> str:
        line = f"{self.where}: {self.text}"
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that is set, and not to the empty text."""

    value: str
    source: str


Variables = Mapping[str, Variable]


@dataclass(frozen=True, slots=True)
class Origin:
    """Who gave a value."""

    source: str
    variable: str = ""

    def name(self, loc: Loc) -> str:
        """How the giver knows the key at `loc`."""
        return f"{self.variable or dotted(loc)} ({self.source})"


@dataclass(frozen=True, slots=True)
class Tree:
    """All values, and where each came from. Later ones replace earlier ones key by key."""

    values: dict[str, object] = field(default_factory=dict)
    origins: dict[Loc, Origin] = field(default_factory=dict)

    def put(self, loc: tuple[str, ...], value: object, origin: Origin) -> None:
        """Sets one value, unless a value that is no table stands in the way: that is a mistake by itself."""
        table = self.values
        for depth, key in enumerate(loc[:-1], start=1):
            inner = table.setdefault(key, {})
            if not isinstance(inner, dict):
                return
            self.origins.setdefault(loc[:depth], origin)
            table = inner
        table[loc[-1]] = value
        self.origins[loc] = origin

    def merge(self, tables: Mapping[str, object], source: str) -> None:
        """Sets every value of nested tables."""
        waiting: list[tuple[tuple[str, ...], object]] = [((key,), value) for key, value in tables.items()]
        while waiting:
            loc, value = waiting.pop(0)
            if not isinstance(value, Mapping) or len(loc) == DEEPEST:
                self.put(loc, value, Origin(source))
                continue
            if not isinstance(self.at(loc), dict):
                self.put(loc, {}, Origin(source))
            waiting += [((*loc, key), inner) for key, inner in value.items()]

    def at(self, loc: Loc) -> object:
        """The value there, or None."""
        value: object = self.values
        for key in loc:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def origin(self, loc: Loc) -> Origin | None:
        """Who gave the value there, or the nearest table or list around it."""
        for end in range(len(loc), 0, -1):
            if loc[:end] in self.origins:
                return self.origins[loc[:end]]
        return None

    def where(self, loc: Loc) -> str:
        """Names the key at `loc` as the person who wrote it knows it."""
        origin = self.origin(loc)
        return origin.name(loc) if origin else dotted(loc)


def dotted(loc: Loc) -> str:
    """The key at `loc` as it stands in a file."""
    keys = (f"[{key}]" if isinstance(key, int) else f".{key}" for key in loc)
    return "".join(keys).removeprefix(".")


def twin(key: str) -> str:
    """The variable that sets a dotted key."""
    return PREFIX + key.replace(".", "__").upper()


def key_of(variable: str) -> str:
    """The dotted key that a variable sets, whether or not there is such a key."""
    return variable.removeprefix(PREFIX).replace("__", ".").lower()


def read_variables(environ: Mapping[str, str], cwd: Path, mistakes: list[Mistake]) -> dict[str, Variable]:
    """The variables of the process, and of `.env` where the process has none of that name."""
    found = {name: Variable(value, ".env") for name, value in _read_dotenv(cwd / ".env", mistakes)}
    found |= {name: Variable(value, "environment") for name, value in environ.items() if value}
    return found


def _read_dotenv(path: Path, mistakes: list[Mistake]) -> Iterator[tuple[str, str]]:
    for binding in parse_stream(StringIO(_read(path, ".env", mistakes, optional=True))):
        if binding.error or (binding.key is not None and not _is_assignment(binding)):
            line = binding.original.line + _leading_lines(binding.original.string)
            mistakes.append(
                Mistake(f".env:{line}", "is not NAME=VALUE; write that, or start the line with #")
            )
        elif binding.key and binding.value:
            yield binding.key, binding.value


def _is_assignment(binding: Binding) -> bool:
    return binding.value is not None and bool(re.fullmatch(r"[A-Za-z_]\w*", binding.key or "", re.ASCII))


def _leading_lines(text: str) -> int:
    """Lines before the first that is not blank: the parser counts them to the line that follows."""
    return len(re.findall(r"\r\n|\r|\n", text[: len(text) - len(text.lstrip())]))


def _read(path: Path, name: str, mistakes: list[Mistake], *, optional: bool) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except IsADirectoryError:
        mistakes.append(Mistake(name, "is a directory; put a text file in its place, or remove it"))
    except UnicodeDecodeError:
        mistakes.append(Mistake(name, "is not UTF-8 text; save it as UTF-8"))
    except (OSError, ValueError) as error:
        if not (optional and isinstance(error, FileNotFoundError)):
            reason = getattr(error, "strerror", None) or "not a valid path"
            mistakes.append(Mistake(name, f"cannot be read ({reason}); check the path and its permissions"))
    return ""


def gather(variables: Variables, file: Mapping[str, object], file_name: str) -> Tree:
    """All sources but the command line, merged."""
    tree = Tree()
    for key, names in PLAIN.items():
        _put_first(tree, tuple(key.split(".")), names, variables)
    configured = file.get("providers")
    for kind, fields in PLAIN_PROVIDERS.items():
        # All or nothing: a plain base URL must never meet a key that a file gave, nor the other way round.
        in_file = isinstance(configured, Mapping) and kind in configured
        if not in_file and any(name in variables for name in fields["api_key"]):
            tree.put(("providers", kind, "kind"), kind, Origin("environment"))
            for key, names in fields.items():
                _put_first(tree, ("providers", kind, key), names, variables)
    tree.merge(file, file_name)
    for name in sorted(variables):
        if name.startswith(PREFIX) and name not in NO_SETTINGS:
            # Only capitals name a key, so that no two variables name the same one.
            loc = tuple(key_of(name).split(".", DEEPEST - 1)) if name == name.upper() else (name,)
            tree.put(loc, variables[name].value, Origin(variables[name].source, name))
    return tree


def _put_first(tree: Tree, loc: tuple[str, ...], names: tuple[str, ...], variables: Variables) -> None:
    for name in names:
        if name in variables:
            tree.put(loc, variables[name].value, Origin(variables[name].source, name))
            return


def read_toml(
    config: Path | None, variables: Variables, cwd: Path, mistakes: list[Mistake]
) -> tuple[dict[str, object], str]:
    """Tables and name of the file: `config`, else what TOKENWIRE_CONFIG names, else ./tokenwire.toml."""
    named = variables.get("TOKENWIRE_CONFIG")
    chosen = config or (Path(named.value) if named else None)
    path = chosen or Path("tokenwire.toml")
    text = _read(cwd / path, str(path), mistakes, optional=chosen is None)
    try:
        return tomllib.loads(text), str(path)
    except (ValueError, RecursionError) as error:
        mistakes.append(_syntax(str(path), text, error))
        return {}, str(path)


def _syntax(name: str, text: str, error: Exception) -> Mistake:
    what, _, place = str(error).partition(" (at ")
    line = re.match(r"line (\d+)", place)
    number = line[1] if line else text.count("\n") + 1
    return Mistake(f"{name}:{number}", f"is not TOML ({what}); correct the syntax there")


def scrub(environ: MutableMapping[str, str]) -> None:
    """Takes away what provider SDKs read behind our back: keys, base URLs, headers, debug logs of bodies.

    Without it the settings of one provider would reach another. Call it once the settings are loaded.
    """
    for name in [name for name in environ if name.startswith(SDK_PREFIXES)]:
        del environ[name]
