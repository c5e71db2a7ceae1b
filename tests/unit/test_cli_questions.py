"""`tokenwire tokens`, `models`, `health --json` and `chat --image`, against a server that answers as the test
says."""

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from typer.testing import CliRunner, Result

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1 import common_pb2, health_pb2, llm_service_pb2_grpc, models_pb2, tokens_pb2
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.cli import app, output

PNG = b"\x89PNG\r\n\x1a\n and more"
WEBP = b"RIFF\n\n\x00\x01WEBP and more"


class Scripted(llm_service_pb2_grpc.LLMServiceServicer):
    """Answers each request with the next of `replies`."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.replies: list[Message] = []

    def _answer(self, request: Any, context: Any) -> Any:
        self.requests.append(request)
        return self.replies.pop(0)

    CountTokens = ListModels = Health = _answer

    def ChatStream(self, request: pb.ChatRequest, _context: object) -> Iterator[pb.ChatStreamResponse]:  # noqa: N802 (the contract's name)
        self.requests.append(request)
        yield pb.ChatStreamResponse(completed=pb.ChatCompleted())


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    llm = Scripted()  # type: ignore[abstract]  # the other methods are not called
    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool)
        llm_service_pb2_grpc.add_LLMServiceServicer_to_server(llm, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        monkeypatch.setenv("TOKENWIRE_TARGET", f"127.0.0.1:{port}")
        monkeypatch.delenv("TOKENWIRE_TOKEN", raising=False)
        yield llm
        server.stop(None).wait(10)


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=stdin)


def test_tokens_are_counted(served: Scripted) -> None:
    exact = tokens_pb2.CountTokensResponse(input_tokens=12, source=common_pb2.TOKEN_SOURCE_TOKENIZER)
    served.replies = [exact]
    done = run("tokens", "--model", "openai/gpt-4o", "--system", "Be brief.", stdin="Hello")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "12\n", "")
    (request,) = served.requests
    assert request.chat.model == "openai/gpt-4o"
    assert [message.text for message in request.chat.messages] == ["Be brief.", "Hello"]


def test_an_estimate_is_called_one(served: Scripted) -> None:
    warning = common_pb2.CallWarning(field="chat.tools", text="Estimated.")
    source = common_pb2.TOKEN_SOURCE_ESTIMATED
    served.replies = [tokens_pb2.CountTokensResponse(input_tokens=3, source=source, warnings=[warning])]
    done = run("tokens", "Hello")
    assert done.stdout == "3\n"
    assert "estimate" in done.stderr
    assert "chat.tools: Estimated." in done.stderr


MODELS = [
    models_pb2.Model(
        name="openai/gpt-4o",
        context_window=128_000,
        max_output_tokens=16_384,
        prices=models_pb2.ModelPrices(input_usd=2.5, output_usd=10),
        capabilities=[models_pb2.MODEL_CAPABILITY_CHAT, models_pb2.MODEL_CAPABILITY_JSON_SCHEMA],
    ),
    models_pb2.Model(name="local/[bold]llama"),
]


def test_models_of_all_pages_are_listed_one_a_line(served: Scripted) -> None:
    served.replies = [
        models_pb2.ListModelsResponse(models=MODELS[:1], next_page_token="next", unreachable=["local"]),
        models_pb2.ListModelsResponse(models=MODELS[1:], unreachable=["local"]),
    ]
    done = run("models", "--provider", "openai")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "openai/gpt-4o\t128000\t16384\t2.5\t10\tchat json_schema",
        "local/[bold]llama\t\t\t\t\t",
    ]
    assert done.stderr == "warning: local could not be asked\n"
    assert [(request.provider, request.page_token) for request in served.requests] == [
        ("openai", ""),
        ("openai", "next"),
    ]


def test_a_terminal_gets_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdout", screen)
    output.write_table(("model", "context"), [("openai/gpt-4o", "128000"), ("local/[bold]llama", "")])
    head, *rows = (line.split() for line in screen.getvalue().splitlines())
    assert head[0].endswith("model")
    assert [row[0] for row in rows] == ["openai/gpt-4o", "local/[bold]llama"]


def test_models_as_json(served: Scripted) -> None:
    served.replies = [models_pb2.ListModelsResponse(models=MODELS)]
    done = run("models", "--json")
    assert [model["name"] for model in json.loads(done.stdout)["models"]] == [
        "openai/gpt-4o",
        "local/[bold]llama",
    ]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (health_pb2.HEALTH_STATUS_SERVING, 0),
        (health_pb2.HEALTH_STATUS_DEGRADED, 0),
        (health_pb2.HEALTH_STATUS_NOT_SERVING, 1),
    ],
)
def test_health_tells_of_each_provider(
    served: Scripted, status: health_pb2.HealthStatus.ValueType, code: int
) -> None:
    failing = health_pb2.ProviderHealth(name="openai", last_error_reason=Reason.PROVIDER_OVERLOADED)
    served.replies = [health_pb2.HealthResponse(status=status, providers=[failing])]
    done = run("health", "--json")
    assert done.exit_code == code
    report = json.loads(done.stdout)
    assert report["status"] == health_pb2.HealthStatus.Name(status)
    assert report["providers"] == [{"name": "openai", "lastErrorReason": "PROVIDER_OVERLOADED"}]


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        (WEBP, "image/webp"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
    ],
)
def test_images_go_with_the_prompt(served: Scripted, tmp_path: Path, data: bytes, media_type: str) -> None:
    path = tmp_path / "image.txt"
    path.write_bytes(data)
    assert run("chat", "What is this?", "--image", str(path), "--image", str(path)).exit_code == 0
    (request,) = served.requests
    (message,) = request.messages
    assert message.text == "What is this?"
    assert [part.WhichOneof("content") for part in message.parts] == ["text", "image", "image"]
    image = message.parts[2].image
    assert (image.data, image.media_type) == (data, media_type)


def test_a_file_that_is_no_image_is_refused(served: Scripted, tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(b"<svg/>")
    for given, text in ((path, "is no PNG, JPEG, GIF or WebP image"), (tmp_path / "none", "cannot read")):
        done = run("chat", "What is this?", "--image", str(given))
        assert done.exit_code == 2
        assert text in done.stderr
    assert served.requests == []
