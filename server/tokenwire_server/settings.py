"""The settings: what they are, and `load`, which finds every mistake before anything starts.

Frozen models; unknown keys are mistakes. Each key has a twin in the environment: TOKENWIRE_SERVER__LISTEN
sets `server.listen`. docs/settings.md is the reader's page.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from tokenwire_server import environment
from tokenwire_server.catalog import KEYS as CATALOG_KEYS
from tokenwire_server.catalog import Row as CatalogRow
from tokenwire_server.catalog import check_rows
from tokenwire_server.environment import Loc, Mistake, Tree, dotted, key_of, scrub, twin
from tokenwire_server.provider_settings import (
    CompatibleProvider,
    MistralProvider,
    OpenAIProvider,
    Provider,
    ProviderName,
    Timeouts,
)
from tokenwire_server.secret import Secret
from tokenwire_server.server_settings import (
    Alias,
    AliasName,
    Attempts,
    Auth,
    Defaults,
    Metrics,
    Models,
    Server,
    place,
)
from tokenwire_server.settings_types import Kind, Plain, Table, address, is_loopback, parsed

__all__ = [
    "KEYS", "KINDS", "PROVIDER_KEYS", "Auth", "CatalogRow", "CompatibleProvider", "Defaults", "Kind",
    "Metrics", "MistralProvider", "OpenAIProvider", "Provider", "Secret", "Server", "Settings",
    "SettingsError", "Timeouts", "address", "describe", "is_loopback", "load", "scrub",
]  # fmt: skip

KINDS: Final = ("openai", "mistral")
"""Kinds of provider that a model's prefix may name, whether or not one is configured."""


class SettingsError(Exception):
    """The settings have mistakes; the text has one line for each."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(map(str, self.mistakes)))


class Settings(Table):
    """All that `tokenwire.toml` may say."""

    server: Server = Server()
    auth: Auth = Auth()
    metrics: Metrics = Metrics()
    defaults: Defaults = Defaults()
    models: Models = Models()
    attempts: Attempts = Attempts()
    providers: dict[ProviderName, Provider] = Field(
        default_factory=dict, description='a table for each; its name is the provider in "provider/model"'
    )
    aliases: dict[AliasName, Alias] = Field(
        default_factory=dict, description="a table for each; its name stands for its targets"
    )
    catalog: Annotated[tuple[CatalogRow, ...], BeforeValidator(parsed), AfterValidator(check_rows)] = Field(
        default=(), description="what is known of models, as rows that come before the shipped ones"
    )
    environment: Plain = Field(
        default="development", description="`production`: logs are JSON, `--demo` is refused"
    )

    @property
    def production(self) -> bool:
        """JSON logs, and no demo."""
        return self.environment.lower() == "production"


def _keys(table: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, info in table.model_fields.items():
        key, inner = prefix + name, info.annotation
        if key == "providers":
            for keys in PROVIDER_KEYS.values():
                yield from keys.items()
        elif key == "aliases":
            yield from _keys(Alias, "aliases.*.")
        elif isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _keys(inner, f"{key}.")
        else:
            yield key, info


PROVIDER_KEYS: Final[Mapping[str, Mapping[str, FieldInfo]]] = {
    "openai": dict(_keys(OpenAIProvider, "providers.*.")),
    "mistral": dict(_keys(MistralProvider, "providers.*.")),
    "openai_compatible": dict(_keys(CompatibleProvider, "providers.*.")),
}
"""Kind → the keys of a provider of that kind."""

KEYS: Final[Mapping[str, FieldInfo]] = dict(_keys(Settings))
"""Every key there is; `providers.*.kind` stands for that of each provider."""

ANY_KIND: Final = '"openai", "mistral" or "openai_compatible"'
MISSING: Final = {
    "kind": f"write kind = {ANY_KIND}",
    "api_key": 'write api_key = "env:NAME", "file:/path" or the key itself',
    "base_url": 'write one such as base_url = "http://127.0.0.1:8080/v1"',
}


def load(
    config: Path | None,
    environ: Mapping[str, str],
    cwd: Path,
    overrides: Mapping[str, object] | None = None,
) -> Settings:
    """The settings from all sources (environment.py says which wins), or SettingsError with all mistakes.

    Reads no global state: `config` and `.env` are looked up from `cwd`. `overrides` are nested tables.
    """
    mistakes: list[Mistake] = []
    variables = environment.read_variables(environ, cwd, mistakes)
    tree = environment.gather(variables, *environment.read_toml(config, variables, cwd, mistakes))
    tree.merge(overrides or {}, "command line")
    settings = _validate(tree, {name: variable.value for name, variable in variables.items()}, mistakes)
    if mistakes:
        raise SettingsError(mistakes)
    return settings


def _validate(tree: Tree, variables: Mapping[str, str], mistakes: list[Mistake]) -> Settings:
    """The settings; with mistakes, those of the sound tables, so that rules over several are checked too."""
    try:
        settings = Settings.model_validate(tree.values, context=variables)
        unsound: set[object] = set()
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        unsound = {detail["loc"][0] for detail in found}
        mistakes += [_mistake(detail, tree) for detail in found]
        sound = {key: value for key, value in tree.values.items() if key not in unsound}
        settings = Settings.model_validate(sound, context=variables)
    for loc, other, text in _rules(settings):
        if not unsound & {loc[0], other}:
            mistakes.append(Mistake(tree.where(loc), text))
    return settings


def _rules(settings: Settings) -> Iterator[tuple[Loc, str, str]]:
    """What is wrong between two tables: the key to change, the other table, and a sentence."""
    yield from _open_rules(settings)
    yield from _token_rules(settings.auth)
    listen = settings.server.listen
    metrics = settings.metrics.listen
    if metrics and place(metrics) in map(place, listen):
        yield ("metrics", "listen"), "server", f"is {metrics}, where calls are served; choose another port"
    models: dict[Loc, str] = {("defaults", "model"): settings.defaults.model}
    models |= {
        ("providers", name, "default_model"): p.default_model for name, p in settings.providers.items()
    }
    models |= {
        ("aliases", name, "targets"): target
        for name, alias in settings.aliases.items()
        for target in alias.targets
        if target.partition("/")[0] not in settings.providers or not target.partition("/")[2]
    }
    for loc, model in models.items():
        prefix, slash, rest = model.partition("/")
        if slash and prefix in settings.providers and not rest:
            yield loc, "providers", f"names no model after {model}; write one"
        elif slash and settings.providers and prefix in KINDS and prefix not in settings.providers:
            fix = f"add [providers.{prefix}] or name another model"
            yield loc, "providers", f"names the provider {prefix}, which is not configured; {fix}"
        elif loc[0] == "aliases" and settings.providers:
            yield loc, "providers", f"names {model}, which is no provider/model of this server; write one"


def _open_rules(settings: Settings) -> Iterator[tuple[Loc, str, str]]:
    """The same, of listeners that other machines reach."""
    for text in settings.server.listen:
        if text.startswith("unix:") or is_loopback(address(text)[0]):
            continue
        if settings.auth.mode is None:
            fix = 'set auth.mode = "token", or "none" behind a mesh or a firewall; else listen on 127.0.0.1'
            reason = f"lets other machines in at {text} without authentication; {fix}"
            yield ("server", "listen"), "auth", reason
        if settings.auth.provider_keys:
            fix = "set auth.provider_keys = false, or in server.listen only 127.0.0.1 and unix:/path"
            reason = f"lets provider keys cross the network unencrypted to server.listen {text}; {fix}"
            yield ("auth", "provider_keys"), "server", reason


def _token_rules(table: Auth) -> Iterator[tuple[Loc, str, str]]:
    """The same, of callers' tokens."""
    given = [key for key in ("tokens", "tokens_file") if getattr(table, key)]
    if table.mode == "token" and not (table.tokens or (table.tokens_file and table.tokens_file.stored())):
        fix = "make one with `tokenwire token new NAME`, and add the line that it prints"
        yield ("auth", "mode"), "auth", f'is "token", and there is no token that could call; {fix}'
    if table.mode != "token" and given:
        yield ("auth", given[0]), "auth", 'counts only with auth.mode = "token"; set that, or remove it'


def _mistake(detail: ErrorDetails, tree: Tree) -> Mistake:
    loc, kind = _place_of(detail["loc"])
    where = tree.where(loc)
    match detail["type"]:
        case "value_error":
            return Mistake(where, str(detail["ctx"]["error"]))
        case "missing":
            return _missing(loc, MISSING.get(str(loc[-1]), "add it"), tree)
        case "union_tag_not_found":
            return _missing((*loc, "kind"), MISSING["kind"], tree)
        case "union_tag_invalid":
            return Mistake(tree.where((*loc, "kind")), f"must be {ANY_KIND}")
        case "extra_forbidden":
            return Mistake(where, _unknown(loc, kind, tree))
        case "model_type" | "model_attributes_type" | "dict_type":
            return Mistake(where, "is a table, not a value; set the keys in it")
        case _:
            field = PROVIDER_KEYS.get(kind, KEYS).get(_pattern(loc))
            default = field.default if field and not field.is_required() else None
            hint = f"; the default is {default}" if default not in (None, "") else ""
            text = re.sub("^(Input|String|Value) should", "must", detail["msg"])
            text = text.replace("a valid tuple", "a list")
            return Mistake(where, text + hint)


def _place_of(loc: Loc) -> tuple[Loc, str]:
    """The way to a value as it is written, and the kind of the provider that it lies in."""
    loc = tuple(key for key in loc if key != "[key]")
    if loc[0] == "providers" and len(loc) > 2:  # here pydantic names the member of the union
        return (*loc[:2], *loc[3:]), str(loc[2])
    return loc, ""


def _missing(loc: Loc, fix: str, tree: Tree) -> Mistake:
    origin = tree.origin(loc)
    given = f"{dotted(loc)} ({origin.source})" if origin else dotted(loc)
    return Mistake(given, f"is missing; {fix}")


def _pattern(loc: Loc) -> str:
    """The key at `loc` as KEYS has it."""
    if loc[0] in ("providers", "aliases") and len(loc) > 1:
        loc = (loc[0], "*", *loc[2:])
    return dotted(loc)


def _known(loc: Loc, kind: str) -> list[str]:
    """Keys that may have been meant."""
    if loc[0] == "catalog" and len(loc) > 1:
        return [f"{dotted(loc[:2])}.{name}" for name in CATALOG_KEYS]
    provider = loc[1] if len(loc) > 2 else ""
    return [name.replace("*", str(provider)) for name in PROVIDER_KEYS.get(kind, KEYS)]


def _unknown(loc: Loc, kind: str, tree: Tree) -> str:
    """What to say of a key that is none."""
    if kind and _pattern(loc) in KEYS:
        return f'is no setting of kind "{kind}"; remove it'
    origin = tree.origin(loc)
    variable = origin.variable if origin else ""
    key = key_of(variable) if variable else dotted(loc).lower()
    known = _known(loc, kind)
    tables = [] if variable else [name.rpartition(".")[0] for name in known]
    near = difflib.get_close_matches(key, known + tables, n=1)
    if not near:
        return "is no setting; remove it"
    return f"is no setting; did you mean {twin(near[0]) if variable else near[0]}?"


def describe(settings: Settings) -> str:
    """What would be served, for a person; of secrets only that they are set."""
    rows = [
        ("listeners", ", ".join(settings.server.listen)),
        ("auth", _callers(settings.auth)),
        ("metrics", settings.metrics.listen or "off"),
        ("environment", settings.environment),
        ("defaults", _listed(settings.defaults)),
    ]
    rows += [(f"provider {name}", _listed(provider)) for name, provider in settings.providers.items()]
    if settings.catalog:
        rows.append(("catalog", ", ".join(" ".join(row.rule) for row in settings.catalog)))
    return "\n".join(f"{name:<18} {text}" for name, text in rows)


def _callers(table: Auth) -> str:
    if table.mode != "token":
        return table.mode or "none (only this machine can call)"
    file = table.tokens_file
    names = {*table.tokens.values(), *(file.stored().values() if file else ())}
    return f"token, callers {' '.join(sorted(names))}"


def _listed(table: BaseModel) -> str:
    values = {name: _shown(value) for name, value in table}
    first = sorted(values, key=lambda name: name not in ("kind", "api_key"))
    shown = {name: values[name] for name in first if values[name] != ""}
    return ", ".join(f"{name} {value}" for name, value in shown.items())


def _shown(value: object) -> str:
    match value:
        case Secret():
            return "set"
        case dict():
            return " ".join(value)
        case None | False | BaseModel():
            return ""
        case True:
            return "true"
        case _:
            return str(value)
