"""What the client needs: gRPC and protobuf, and the rest only where it is used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "clients" / "python" / "tokenwire"
SOURCES = {path.name: ast.parse(path.read_text()) for path in sorted(ROOT.glob("*.py"))}
NEEDED = {"grpc", "google", "tokenwire"}
OPTIONAL = {
    "answer.py": {"numpy"},
    "execution.py": {"pydantic_core"},
    "function.py": {"pydantic", "typing_extensions"},
    "schema.py": {"pydantic"},
    "tool_metrics.py": {"prometheus_client"},
}

WITHOUT = """
import sys
for name in ("numpy", "pydantic", "pydantic_core", "prometheus_client", "grpc_status"):
    sys.modules[name] = None
import asyncio
from tokenwire import Client, Conversation, ToolCall, ToolRegistry, message

registry = ToolRegistry()
registry.tool(name="add", parameters={"required": ["a"]})(lambda a: {"sum": a + 1})
print(asyncio.run(registry.call(ToolCall("c1", "add", '{"a": 1}'))).text)
print(Conversation("Hi").messages[0].text)
for use in (lambda: registry.tool(len), lambda: Client("127.0.0.1:1").parse(dict, "Hi")):
    try:
        use()
    except ImportError as error:
        print(error)
"""


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_imports_what_is_declared(name: str) -> None:
    found: set[str] = set()
    for node in ast.walk(SOURCES[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found.add(node.module or "")
    foreign = {module.partition(".")[0] for module in found} - sys.stdlib_module_names
    assert foreign <= NEEDED | OPTIONAL.get(name, set())


def _printed(code: str) -> str:
    done = subprocess.run(  # noqa: S603 (this file's own code)
        (sys.executable, "-W", "error", "-c", code),
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")
    return done.stdout.decode()


def test_without_what_is_optional_the_rest_works() -> None:
    needed = "pip install 'tokenwire[tools]'"
    assert _printed(WITHOUT).splitlines() == [
        '{"sum": 2}',
        "Hi",
        f"this needs pydantic: {needed}",
        f"this needs pydantic: {needed}",
    ]


@pytest.mark.parametrize(
    ("used", "not_loaded"),
    [
        ("tokenwire.v1.chat_pb2", {"grpc", "tokenwire.calls"}),
        ("tokenwire.client, tokenwire.tools", {"pydantic", "numpy", "prometheus_client"}),
    ],
)
def test_what_is_not_used_is_not_loaded(used: str, not_loaded: set[str]) -> None:
    assert _printed(f"import sys, {used}; print({not_loaded} & {{*sys.modules}})") == "set()\n"
