"""The settings: what they are, and `load`, which finds every mistake before anything starts.

Frozen models; unknown keys are mistakes. Each key has a twin in the environment: TOKENWIRE_SERVER__LISTEN
sets `server.listen`. docs/settings.md is the reader's page.
"""

import difflib
import ipaddress
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from tokenwire_server import environment
from tokenwire_server.environment import Loc, Mistake, Tree, dotted, key_of, scrub, twin
from tokenwire_server.secret import Secret

__all__ = [
    "KEYS", "KINDS", "Auth", "Defaults", "Metrics", "Provider", "Secret", "Server", "Settings",
    "SettingsError", "Timeouts", "address", "describe", "is_loopback", "load", "scrub",
]  # fmt: skip

KINDS: Final = ("openai", "mistral")
"""Kinds of provider that a model's prefix may name, whether or not one is configured."""

MIB: Final = 1024 * 1024
DAY: Final = 86_400.0
PORTS: Final = 65_535
URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<user>[^/?#]*@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?"
    r"(/[!-\[\]-~]*)?",  # printable ASCII without the backslash, which parsers read in two ways
    re.ASCII,
)


class SettingsError(Exception):
    """The settings have mistakes; the text has one line for each."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(map(str, self.mistakes)))


def _secret(value: object, info: ValidationInfo) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a text; write env:NAME, file:/path or the secret in quotes")  # noqa: TRY004 (pydantic takes ValueError)
    return Secret.parse(value, info.context or {})


def address(text: str) -> tuple[str, int]:
    """Host (without brackets) and port of `host:port` or `[v6]:port`; ValueError for anything else."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})", text)
    try:
        if match and int(match[3]) <= PORTS:
            return str(ipaddress.IPv6Address(match[1])) if match[1] else match[2].lower(), int(match[3])
    except ipaddress.AddressValueError:
        pass
    raise ValueError(f"{text!r} is no address; write host:port or [v6]:port, such as 127.0.0.1:50051")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`: localhost, 127.0.0.0/8, ::1."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split_list(value: object) -> object:
    """A list from one text, as environment variables give it: JSON, or separated by commas."""
    if not isinstance(value, str):
        return value
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        parsed = None
    return parsed if isinstance(parsed, list) else [part.strip() for part in value.split(",")]


def _listeners(listen: tuple[str, ...]) -> tuple[str, ...]:
    seen: set[object] = set()
    for text in listen:
        place = _place(text)
        if place in seen:
            raise ValueError(f"has {text} twice; remove one")
        seen.add(place)
    return listen


def _place(text: str) -> object:
    """What two listeners must not share; a free port (0) is never shared."""
    if not text.startswith("unix:"):
        host, port = address(text)
        return (host, port) if port else object()
    if not re.fullmatch(r"unix:/[^\x00-\x20]+", text):
        raise ValueError(f"{text!r} has no absolute path; write unix:/path")
    return text


def _metrics_listener(text: str) -> str:
    if text == "off":
        return ""
    if text:
        address(text)
    return text


def _base_url(text: str) -> str:
    # Never repeats the URL: what is wrong with it may be a password.
    place, *extra = re.split(r"[?#]", text, maxsplit=1)
    url = URL.fullmatch(place)
    if url is None or int(url["port"] or 0) > PORTS:
        raise ValueError("is no http or https URL; write one such as https://api.openai.com/v1")
    if url["user"]:
        raise ValueError("has a user name or password in it; put the key into api_key")
    if extra:
        raise ValueError("has a query or fragment; end it after the path")
    if url["scheme"] == "http" and not is_loopback(url["host"].strip("[]")):
        raise ValueError("sends the key unencrypted; use https (http is for loopback hosts only)")
    return text.rstrip("/")


def _plain(text: str) -> str:
    if text != text.strip() or not (text.isascii() and text.isprintable()):
        raise ValueError("has an outer space, a line break or a character outside ASCII; correct it")
    return text


def _provider_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", name):
        raise ValueError("is no provider's name; use 1 to 32 of a-z, 0-9, _ and -, first a letter or digit")
    return name


Seconds = Annotated[float, Field(gt=0, le=DAY)]
Count = Annotated[int, Field(gt=0, lt=2**31)]
Tokens = Annotated[int, Field(ge=0, lt=2**31)]
"""0 = not sent, whatever a weaker default says."""
Temperature = Annotated[float, Field(ge=0, le=2)]
Plain = Annotated[str, Field(max_length=256), AfterValidator(_plain)]
ProviderName = Annotated[str, AfterValidator(_provider_name)]
SecretText = Annotated[
    Secret,
    PlainValidator(_secret),
    PlainSerializer(lambda _: "***", return_type=str),
    WithJsonSchema({"type": "string"}),
]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)


class Server(_Table):
    """The gRPC side. Sizes are checked per request."""

    listen: Annotated[
        tuple[str, ...], Field(min_length=1), BeforeValidator(_split_list), AfterValidator(_listeners)
    ] = ("127.0.0.1:50051",)
    drain_seconds: Annotated[float, Field(ge=0, le=DAY)] = 30.0
    """Grace for calls in flight when the server stops."""
    reflection: bool = True
    max_request_bytes: Count = 32 * MIB
    max_messages: Count = 4096
    max_parts: Count = 1024
    max_tools: Count = 512
    max_metadata_pairs: Count = 16
    max_deadline_seconds: Seconds = 3600.0


class Auth(_Table):
    """Who may call. None = nobody decided, which only loopback and unix listeners accept."""

    mode: Literal["none"] | None = None


class Metrics(_Table):
    """Prometheus' side."""

    listen: Annotated[str, AfterValidator(_metrics_listener)] = "127.0.0.1:9464"
    """Empty or "off" = no metrics; "off" because an empty variable counts as unset."""


class Defaults(_Table):
    """What a call gets that does not say; a provider's own defaults come first."""

    model: Plain = ""
    unsupported_parameters: Literal["reject", "drop", "drop_sampling"] = "drop_sampling"
    max_output_tokens: Tokens | None = None
    temperature: Temperature | None = None


class Timeouts(_Table):
    """Seconds a provider is waited for."""

    connect: Seconds = 5.0
    first_token: Seconds = 60.0
    idle: Seconds = 60.0
    total: Seconds = 600.0


class Provider(_Table):
    """A provider of kind `openai`. A second kind becomes a second model, told apart by `kind`."""

    kind: Literal["openai"]
    api_key: SecretText
    base_url: Annotated[str, AfterValidator(_base_url)] = "https://api.openai.com/v1"
    organization: Plain = ""
    project: Plain = ""
    default_model: Plain = ""
    default_max_output_tokens: Tokens | None = None
    default_temperature: Temperature | None = None
    timeouts: Timeouts = Timeouts()
    max_event_bytes: Count = 4 * MIB
    max_response_bytes: Count = 32 * MIB


class Settings(_Table):
    """All of it."""

    server: Server = Server()
    auth: Auth = Auth()
    metrics: Metrics = Metrics()
    defaults: Defaults = Defaults()
    providers: dict[ProviderName, Provider] = Field(default_factory=dict)
    environment: Plain = "development"

    @property
    def production(self) -> bool:
        """JSON logs, and no demo."""
        return self.environment.lower() == "production"


def _keys(table: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, info in table.model_fields.items():
        key, inner = prefix + name, info.annotation
        if get_origin(inner) is dict:
            key, inner = f"{key}.*", get_args(inner)[1]
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _keys(inner, f"{key}.")
        else:
            yield key, info


KEYS: Final[Mapping[str, FieldInfo]] = dict(_keys(Settings))
"""Every key there is; `providers.*.kind` stands for that of each provider."""

MISSING: Final = {
    "kind": 'write kind = "openai"',
    "api_key": 'write api_key = "env:NAME", "file:/path" or the key itself',
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
    listen = settings.server.listen
    for text in listen if settings.auth.mode is None else ():
        if not text.startswith("unix:") and not is_loopback(address(text)[0]):
            fix = 'if a mesh or a firewall protects it, set auth.mode = "none"; else listen on 127.0.0.1'
            yield (
                ("server", "listen"),
                "auth",
                f"lets other machines in at {text} without authentication; {fix}",
            )
    metrics = settings.metrics.listen
    if metrics and _place(metrics) in map(_place, listen):
        yield ("metrics", "listen"), "server", f"is {metrics}, where calls are served; choose another port"
    models: dict[Loc, str] = {("defaults", "model"): settings.defaults.model}
    models |= {
        ("providers", name, "default_model"): p.default_model for name, p in settings.providers.items()
    }
    for loc, model in models.items():
        prefix, slash, _ = model.partition("/")
        if slash and settings.providers and prefix in KINDS and prefix not in settings.providers:
            fix = f"add [providers.{prefix}] or name another model"
            yield loc, "providers", f"names the provider {prefix}, which is not configured; {fix}"


def _mistake(detail: ErrorDetails, tree: Tree) -> Mistake:
    loc = tuple(key for key in detail["loc"] if key != "[key]")
    where = tree.where(loc)
    match detail["type"]:
        case "value_error":
            return Mistake(where, str(detail["ctx"]["error"]))
        case "missing":
            origin = tree.origin(loc)
            given = f"{dotted(loc)} ({origin.source})" if origin else dotted(loc)
            return Mistake(given, f"is missing; {MISSING[str(loc[-1])]}")
        case "extra_forbidden":
            return Mistake(where, f"is no setting; {_did_you_mean(loc, tree)}")
        case "model_type" | "dict_type":
            return Mistake(where, "is a table, not a value; set the keys in it")
        case _:
            field = KEYS.get(_pattern(loc))
            default = field.default if field and not field.is_required() else None
            hint = f"; the default is {default}" if default not in (None, "") else ""
            return Mistake(where, detail["msg"].replace("Input should", "must") + hint)


def _pattern(loc: Loc) -> str:
    """The key at `loc` as KEYS has it."""
    if loc[0] == "providers" and len(loc) > 1:
        loc = ("providers", "*", *loc[2:])
    return dotted(loc)


def _did_you_mean(loc: Loc, tree: Tree) -> str:
    origin = tree.origin(loc)
    variable = origin.variable if origin else ""
    key = key_of(variable) if variable else dotted(loc).lower()
    provider = loc[1] if len(loc) > 2 else ""
    known = [name.replace("*", str(provider)) for name in KEYS]
    tables = [] if variable else [name.rpartition(".")[0] for name in known]
    near = difflib.get_close_matches(key, known + tables, n=1)
    if not near:
        return "remove it"
    return f"did you mean {twin(near[0]) if variable else near[0]}?"


def describe(settings: Settings) -> str:
    """What would be served, for a person; of secrets only that they are set."""
    rows = [
        ("listeners", ", ".join(settings.server.listen)),
        ("auth", settings.auth.mode or "none (only this machine can call)"),
        ("metrics", settings.metrics.listen or "off"),
        ("environment", settings.environment),
        ("defaults", _listed(settings.defaults)),
    ]
    rows += [(f"provider {name}", _listed(provider)) for name, provider in settings.providers.items()]
    return "\n".join(f"{name:<18} {text}" for name, text in rows)


def _listed(table: BaseModel) -> str:
    values = {name: "set" if isinstance(value, Secret) else value for name, value in table}
    shown = {
        name: value for name, value in values.items() if isinstance(value, str | int | float) and value != ""
    }
    return ", ".join(f"{name} {value}" for name, value in shown.items())
