"""What tables of settings are made of: the base of their models and the types of their values."""

import ipaddress
import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
)

from tokenwire_server import auth
from tokenwire_server.auth import TokenFile
from tokenwire_server.secret import Secret

MIB: Final = 1024 * 1024
DAY: Final = 86_400.0
PORTS: Final = 65_535


class Table(BaseModel):
    """A table: frozen, unknown keys are mistakes, and no error repeats what was given."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)


def _secret(value: object, info: ValidationInfo) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a text; write env:NAME, file:/path or the secret in quotes")  # noqa: TRY004 (pydantic takes ValueError)
    return Secret.parse(value, info.context or {})


def _tokens(value: object) -> auth.Stored:
    table = parsed(value)
    if not isinstance(table, Mapping):
        raise ValueError('must be a table; write NAME = "sha256:…" in it')  # noqa: TRY004 (pydantic takes ValueError)
    return auth.stored(_hashes(table))


def _hashes(table: Mapping[object, object]) -> Iterator[tuple[str, str]]:
    """One row for each hash: a name has one, or a list of them."""
    for name, value in table.items():
        found = split_list(value)
        for text in found if isinstance(found, list) and found else [None]:
            yield str(name), text if isinstance(text, str) else ""


def _token_file(value: object) -> TokenFile:
    if isinstance(value, TokenFile):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a text; write the file's path in quotes")  # noqa: TRY004 (pydantic takes ValueError)
    return TokenFile(value)


def _plain(text: str) -> str:
    if text != text.strip() or not (text.isascii() and text.isprintable()):
        raise ValueError("has an outer space, a line break or a character outside ASCII; correct it")
    return text


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


def parsed(value: object) -> object:
    """What JSON a text is, as environment variables give tables and lists; any other value as it is."""
    if not isinstance(value, str):
        return value
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return found if isinstance(found, list | dict) else value


def split_list(value: object) -> object:
    """A list from one text, as environment variables give it: JSON, or separated by commas."""
    found = parsed(value)
    return [part.strip() for part in found.split(",")] if isinstance(found, str) else found


Seconds = Annotated[float, Field(gt=0, le=DAY)]
Count = Annotated[int, Field(gt=0, lt=2**31)]
Tokens = Annotated[int, Field(ge=0, lt=2**31)]
"""0 = not sent, whatever a weaker default says."""
Temperature = Annotated[float, Field(ge=0, le=2)]
Plain = Annotated[str, Field(max_length=256), AfterValidator(_plain)]
Kind = Literal["openai", "mistral", "openai_compatible"]
"""Kinds of provider: what is spoken, and how."""
Unsupported = Literal["reject", "drop", "drop_sampling"]
"""What happens to a parameter that the model cannot take."""
SecretText = Annotated[
    Secret,
    PlainValidator(_secret),
    PlainSerializer(lambda _: "***", return_type=str),
    WithJsonSchema({"type": "string"}),
]
TokenTable = Annotated[
    auth.Stored,
    PlainValidator(_tokens),
    PlainSerializer(lambda known: sorted(set(known.values())), return_type=list[str]),
    WithJsonSchema({"type": "object"}),
]
"""Callers' names and the hashes of their tokens."""
TokenPath = Annotated[
    TokenFile,
    PlainValidator(_token_file),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string"}),
]
