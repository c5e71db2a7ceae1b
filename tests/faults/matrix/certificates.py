"""Certificates that are wrong in one way each, and one that is right; made once, by openssl."""

import atexit
import shutil
import ssl
import subprocess
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple

import pytest


class Served(NamedTuple):
    """A server with a certificate, and a client that trusts one authority."""

    server: ssl.SSLContext
    client: ssl.SSLContext


def good() -> Served:
    return _served("IP:127.0.0.1")


def expired() -> Served:
    return _served("IP:127.0.0.1", days=-1)


def other_name() -> Served:
    return _served("DNS:other.invalid")


@cache
def untrusted() -> Served:
    return Served(good().server, ssl.create_default_context())


@cache
def _folder() -> Path:
    """With an authority in it. Each run makes its own, so that no key is kept anywhere."""
    place = Path(mkdtemp(prefix="tokenwire-certificates-"))
    atexit.register(shutil.rmtree, place)
    _openssl(
        place, "req", "-x509", *_KEY, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca", "-days", "2"
    )
    return place


_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@cache
def _served(name: str, days: int = 2) -> Served:
    place, file = _folder(), f"{name}{days}".replace(":", "-")
    _openssl(place, "req", *_KEY, "-keyout", f"{file}.key", "-out", f"{file}.csr", "-subj", "/CN=server")
    (place / f"{file}.ext").write_text(f"subjectAltName={name}")
    signing = ("x509", "-req", "-in", f"{file}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial")
    _openssl(place, *signing, "-out", f"{file}.pem", "-extfile", f"{file}.ext", "-days", str(days))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(place / f"{file}.pem", place / f"{file}.key")
    return Served(server, ssl.create_default_context(cafile=str(place / "ca.pem")))


def _openssl(place: Path, *arguments: str) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed, which makes the certificates")
    subprocess.run((openssl, *arguments), cwd=place, check=True, capture_output=True)  # noqa: S603 (a command of ours)
