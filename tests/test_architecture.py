"""The rules of the layout, read from the sources: who imports whom, how large things get, which names
stand where."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

ROOT = Path(__file__).parents[1]
SERVER = ROOT / "server" / "tokenwire_server"
PACKAGE = "tokenwire_server"

SOURCES = {str(path.relative_to(SERVER)): path for path in sorted(SERVER.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in SOURCES.items()}

HAND_WRITTEN = [
    path
    for folder in ("server", "clients/python", "tests", "proto")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if not path.match("clients/python/tokenwire/v1/*")
]

GRPC = {"grpc", "grpc_health", "grpc_reflection", "grpc_status"}
SDKS = {"openai", "mistralai"}
HTTP_CLIENTS = {"aiohttp", "httptools"}
SETTINGS = (
    "settings", "server_settings", "provider_settings", "settings_types", "settings_schema", "catalog", "cli",
    "secret", "environment",
)  # fmt: skip
PROVIDER_NAMES = re.compile(r"openai|mistral", re.IGNORECASE)


def imports(name: str) -> Iterator[str]:
    """Dotted names of the modules that a source imports, wherever it does."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            module = node.module or ""
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def imported(name: str) -> set[str]:
    """Top-level names of what a source imports."""
    return {module.partition(".")[0] for module in imports(name)}


def inside(name: str, *places: str) -> bool:
    """Whether a source is one of these modules, or in one of these folders."""
    return any(name == f"{place}.py" or name.startswith(f"{place}/") for place in places)


def ours(name: str) -> set[str]:
    """The modules of the server that a source imports, without the package's name."""
    prefix = f"{PACKAGE}."
    return {module.removeprefix(prefix) for module in imports(name) if module.startswith(prefix)}


def test_the_sources_were_found() -> None:
    assert {"app.py", "rpc/server.py", "policy/resolve.py", "providers/http.py"} <= set(SOURCES)
    assert GRPC & imported("rpc/server.py"), "imports are not seen"


@pytest.mark.parametrize("name", [name for name in SOURCES if not inside(name, "rpc")])
def test_only_rpc_imports_grpc(name: str) -> None:
    assert not imported(name) & GRPC


@pytest.mark.parametrize("name", [name for name in SOURCES if not inside(name, "providers")])
def test_only_providers_import_sdks_and_an_http_client(name: str) -> None:
    assert not imported(name) & SDKS
    http = {module for module in imports(name) if module.partition(".")[0] in HTTP_CLIENTS}
    if inside(name, "simulator"):
        assert all(module == "aiohttp" or module.startswith("aiohttp.web") for module in http)
    else:
        assert not http


@pytest.mark.parametrize("name", [name for name in SOURCES if not inside(name, *SETTINGS)])
def test_only_settings_import_pydantic(name: str) -> None:
    assert not imported(name) & {"pydantic", "pydantic_settings", "pydantic_core"}


@pytest.mark.parametrize("name", [name for name in SOURCES if inside(name, "policy")])
def test_policies_know_neither_each_other_nor_both_ends(name: str) -> None:
    """The breaker is none: it is what one of them asks."""
    for module in ours(name):
        if module.startswith("policy.breaker"):
            continue
        assert module.partition(".")[0] not in {"policy", "providers", "rpc", "app", "settings", "simulator"}


@pytest.mark.parametrize("name", [name for name in SOURCES if inside(name, "providers")])
def test_providers_do_not_look_up(name: str) -> None:
    for module in ours(name):
        assert module.partition(".")[0] not in {"policy", "rpc", "app", "cli", "telemetry", "simulator"}


@pytest.mark.parametrize("name", [name for name in SOURCES if inside(name, "rpc")])
def test_rpc_does_not_look_down(name: str) -> None:
    """The one exception is the resolver, which the servicer is given."""
    for module in ours(name):
        assert module.partition(".")[0] not in {"providers", "app", "cli", "simulator"}
        assert not module.startswith("policy") or module.startswith("policy.resolve")


@pytest.mark.parametrize("name", [name for name in SOURCES if inside(name, "simulator")])
def test_the_simulator_stands_alone(name: str) -> None:
    assert all(module.partition(".")[0] == "simulator" for module in ours(name))


@pytest.mark.parametrize("name", [name for name in SOURCES if not inside(name, "__main__", "cli")])
def test_nobody_imports_the_root(name: str) -> None:
    assert "app" not in {module.partition(".")[0] for module in ours(name)}


def test_main_only_sets_the_environment() -> None:
    assert imported("__main__.py") <= sys.stdlib_module_names | {PACKAGE}
    assert ours("__main__.py") == {"cli", "cli.app"}


def _names(name: str) -> Iterator[str]:
    """Identifiers, and the string literals that are one word."""
    for node in ast.walk(TREES[name]):
        match node:
            case ast.Constant(value=str(text)) if PROVIDER_NAMES.fullmatch(text):
                yield text
            case ast.Name(id=text) | ast.Attribute(attr=text) | ast.arg(arg=text):
                yield text
            case ast.FunctionDef(name=text) | ast.AsyncFunctionDef(name=text) | ast.ClassDef(name=text):
                yield text
            case _:
                pass


@pytest.mark.parametrize(
    "name", [name for name in SOURCES if not inside(name, "providers", "simulator", *SETTINGS)]
)
def test_provider_names_stay_where_they_belong(name: str) -> None:
    assert [text for text in _names(name) if PROVIDER_NAMES.search(text)] == []


@pytest.mark.parametrize("path", HAND_WRITTEN, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_at_most_400_lines_long(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("name", SOURCES)
def test_functions_are_at_most_60_lines_long(name: str) -> None:
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, node.name


def _options() -> set[str]:
    """The channel arguments that rpc/ passes to grpc."""
    option = re.compile(r"grpc\.[a-z0-9_.]+")
    return {
        node.value
        for name, tree in TREES.items()
        if inside(name, "rpc")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and option.fullmatch(node.value)
    }


def test_grpc_knows_each_option_that_it_is_given() -> None:
    """It ignores those that it does not know, without a word."""
    (library,) = (Path(grpc.__file__).parent / "_cython").glob("cygrpc*.so")
    binary = library.read_bytes()
    options = _options()
    assert "grpc.so_reuseport" in options
    assert [option for option in sorted(options) if option.encode() + b"\0" not in binary] == []
    assert b"grpc.no_such_option\0" not in binary
