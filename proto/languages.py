"""How the stubs of each language are written, with which plugins.

Plugins come from each language's own registry, are pinned here or in a lock beside the client, and live in
.tools/. Types of google.protobuf and google.rpc are those of each language's own packages; TypeScript has
none for google.rpc, so that its error details are generated too.
"""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc_tools

PROTOS: Final = Path(__file__).resolve().parent
CLIENTS: Final = PROTOS.parent / "clients"
_TOOLS: Final = PROTOS.parent / ".tools"
_FILES: Final = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
_INCLUDES: Final = (f"-I{PROTOS}", f"-I{Path(grpc_tools.__file__).parent / '_proto'}")
_PROTOC: Final = (sys.executable, "-m", "grpc_tools.protoc")

_GO: Final = (
    "google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12",
    "google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2",
)
_MAVEN_COPY: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.9.0:copy"
_JAVA: Final = {
    "protoc": "com.google.protobuf:protoc:4.31.1",  # as old as that for Python: newer runtimes take it
    "protoc-gen-grpc-java": "io.grpc:protoc-gen-grpc-java:1.83.1",
}
_MAVEN_NAMES: Final = {
    ("Linux", "x86_64"): "linux-x86_64",
    ("Linux", "aarch64"): "linux-aarch_64",
    ("Darwin", "x86_64"): "osx-x86_64",
    ("Darwin", "arm64"): "osx-aarch_64",
}


def _run(*command: str | Path, **variables: str) -> None:
    """Raises CalledProcessError when the command fails; its standard output is nobody's."""
    environ = {**os.environ, **variables}
    subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, check=True)  # noqa: S603 (a command of ours)


def _protoc(*options: str) -> None:
    _run(*_PROTOC, *_INCLUDES, *options)


def _installed(language: str, recipe: str, install: Callable[[Path], None]) -> Path:
    """The folder of a language's plugins, once it holds those of the recipe."""
    place = _TOOLS / f"proto-{language}"
    done = place / ".done"
    if not done.exists() or done.read_text() != recipe:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        install(place)
        done.write_text(recipe)
    return place


def _python(out: Path) -> None:
    services = [name for name in _FILES if "\nservice " in (PROTOS / name).read_text()]
    _protoc(f"--python_out={out}", f"--mypy_out=quiet:{out}", *_FILES)
    _protoc(f"--grpc_python_out={out}", f"--mypy_grpc_out=quiet:{out}", *services)
    for folder in {(out / name).parent for name in _FILES}:
        (folder / "__init__.py").touch()


def _go(out: Path) -> None:
    def install(place: Path) -> None:
        for module in _GO:
            _run("go", "install", module, GOBIN=str(place), GOFLAGS="-mod=mod")

    place = _installed("go", "\n".join(_GO), install)
    plugins = [f"--plugin={place / name}" for name in ("protoc-gen-go", "protoc-gen-go-grpc")]
    relative = "paths=source_relative"
    _protoc(*plugins, f"--go_out={relative}:{out}", f"--go-grpc_out={relative}:{out}", *_FILES)


def _java(out: Path) -> None:
    system = _MAVEN_NAMES[platform.system(), platform.machine()]

    def install(place: Path) -> None:
        for name, artifact in _JAVA.items():
            options = (f"-Dartifact={artifact}:exe:{system}", f"-DoutputDirectory={place}")
            _run("mvn", "-q", "-B", _MAVEN_COPY, *options, "-Dmdep.stripVersion")
            (place / f"{artifact.split(':')[1]}-{system}.exe").rename(place / name)
            (place / name).chmod(0o755)

    place = _installed("java", "\n".join(_JAVA.values()), install)
    plugin = f"--plugin={place / 'protoc-gen-grpc-java'}"
    grpc = f"--grpc-java_out=@generated=omit:{out}"
    _run(place / "protoc", *_INCLUDES, plugin, f"--java_out={out}", grpc, *_FILES)


def _typescript(out: Path) -> None:
    lock = CLIENTS / "typescript/package-lock.json"

    def install(place: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(lock.with_name(name), place)
        _run("npm", "ci", "--prefix", place, "--ignore-scripts", "--no-audit", "--no-fund", "--silent")

    modules = _installed("typescript", lock.read_text(), install) / "node_modules"
    options = (f"--plugin={modules / '.bin/protoc-gen-es'}", f"-I{modules / 'google-proto-files'}")
    to = f"--es_out=target=ts,import_extension=js:{out}"
    _protoc(*options, to, *_FILES, "google/rpc/error_details.proto")


def _rust(out: Path) -> None:
    """By tonic's own generator, which the workspace beside the client locks."""
    built = _TOOLS / "proto-rust"
    built.mkdir(parents=True, exist_ok=True)
    described = built / "tokenwire.binpb"
    _protoc("--include_imports", "--include_source_info", f"--descriptor_set_out={described}", *_FILES)
    manifest = f"--manifest-path={CLIENTS / 'rust/Cargo.toml'}"
    options = (manifest, "--quiet", "--locked", "--package=generate", f"--target-dir={built}")
    _run("cargo", "run", *options, "--", described, out)


@dataclass(frozen=True)
class Language:
    """`write` fills an empty folder, which stands for clients/`root`; it owns all of `owned` there."""

    root: str
    owned: str
    write: Callable[[Path], None]


LANGUAGES: Final[Mapping[str, Language]] = {
    "python": Language("python", "tokenwire/v1", _python),
    "go": Language("go", "tokenwire/v1", _go),
    "java": Language("java/src/main/java", "dev/tokenwire/v1", _java),
    "typescript": Language("typescript/src/gen", ".", _typescript),
    "rust": Language("rust/src/generated", ".", _rust),
}
