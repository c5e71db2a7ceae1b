"""`tokenwire embed`, against a server that answers as the test says."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RequestInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status
from typer.testing import CliRunner, Result

from tokenwire.v1 import common_pb2, llm_service_pb2_grpc
from tokenwire.v1 import embed_pb2 as pb
from tokenwire_server.cli import app

TOKEN = "tw_canary-0123456789abcdef"
SHORT = [0.5, -0.25]
LONG = [index / 8 for index in range(1536)]


class Embeds(llm_service_pb2_grpc.LLMServiceServicer):
    """Answers with `response`, or fails with `status`."""

    def __init__(self) -> None:
        self.requests: list[pb.EmbedRequest] = []
        self.authorizations: list[list[str | bytes]] = []
        self.response = pb.EmbedResponse()
        self.status: Status | None = None

    def Embed(self, request: pb.EmbedRequest, context: Any) -> pb.EmbedResponse:  # noqa: N802 (the contract's name)
        self.requests.append(request)
        metadata = context.invocation_metadata()
        self.authorizations.append([value for key, value in metadata if key == "authorization"])
        if self.status:
            context.abort_with_status(rpc_status.to_status(self.status))
        return self.response


Running = tuple[Embeds, str]


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """No token, as this machine may have one."""
    monkeypatch.delenv("TOKENWIRE_TOKEN", raising=False)


@pytest.fixture
def running() -> Iterator[Running]:
    llm = Embeds()  # type: ignore[abstract]  # the other methods are not called
    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool)
        llm_service_pb2_grpc.add_LLMServiceServicer_to_server(llm, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield llm, f"127.0.0.1:{port}"
        server.stop(None).wait(10)


@pytest.fixture
def server(running: Running) -> Embeds:
    return running[0]


@pytest.fixture
def embed(running: Running) -> Callable[..., Result]:
    """Runs the command against the server."""

    def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
        return CliRunner().invoke(app, ["embed", "--target", running[1], *arguments], input=stdin)

    return run


def vectors(*found: list[float]) -> pb.EmbedResponse:
    embeddings = [pb.Embedding(index=index, values=values) for index, values in enumerate(found)]
    return pb.EmbedResponse(embeddings=embeddings, dimensions=len(found[0]), model="m-1")


def test_each_text_has_a_line_with_its_length_and_first_numbers(
    server: Embeds, embed: Callable[..., Result]
) -> None:
    server.response = vectors(SHORT, LONG)
    result = embed("a b", "é", "--model", "openai/text-embedding-3-small", "--dimensions", "2")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "2: +0.5000 -0.2500",
        "1536: +0.0000 +0.1250 +0.2500 +0.3750 +0.5000 +0.6250 +0.7500 +0.8750 …",
    ]
    asked = pb.EmbedRequest(model="openai/text-embedding-3-small", input=["a b", "é"], dimensions=2)
    assert server.requests == [asked]


def test_what_is_not_given_is_not_sent(server: Embeds, embed: Callable[..., Result]) -> None:
    server.response = vectors(SHORT)
    assert embed("a").exit_code == 0
    assert server.requests == [pb.EmbedRequest(input=["a"])]


@pytest.mark.parametrize(
    ("stdin", "texts"),
    [
        ("a b\nc\n", ["a b", "c"]),
        ("a\nb", ["a", "b"]),
        ("a\n\nb\n", ["a", "", "b"]),
        ("a\u2028b\n", ["a\u2028b"]),
    ],
)
def test_texts_are_the_lines_of_standard_input(
    server: Embeds, embed: Callable[..., Result], stdin: str, texts: list[str]
) -> None:
    server.response = vectors(SHORT)
    assert embed(stdin=stdin).exit_code == 0
    assert list(server.requests[0].input) == texts


def test_json_prints_the_response_alone(server: Embeds, embed: Callable[..., Result]) -> None:
    server.response = vectors(SHORT)
    result = embed("a", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == {
        "embeddings": [{"values": SHORT}],
        "dimensions": 2,
        "model": "m-1",
    }


def test_what_was_not_honoured_is_told(server: Embeds, embed: Callable[..., Result]) -> None:
    server.response = vectors(SHORT)
    server.response.warnings.append(common_pb2.CallWarning(field="dimensions", text="left out"))
    result = embed("a")
    assert (result.exit_code, result.stdout) == (0, "2: +0.5000 -0.2500\n")
    assert result.stderr == "warning: dimensions: left out\n"


def test_a_failure_is_explained_as_a_chats(server: Embeds, embed: Callable[..., Result]) -> None:
    server.status = Status(code=3, message="INVALID_REQUEST: The text is empty. (input[1]) [abc]")
    violation = BadRequest.FieldViolation(field="input[1]", description="The text is empty.")
    for detail in (
        ErrorInfo(reason="INVALID_REQUEST", domain="tokenwire"),
        RequestInfo(request_id="abc"),
        BadRequest(field_violations=[violation]),
    ):
        packed = AnyMessage()
        packed.Pack(detail)
        server.status.details.append(packed)
    result = embed("a", "")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        "error: INVALID_REQUEST: The text is empty. (input[1]) [abc]",
        "  input[1]: The text is empty.",
        "  request id: abc",
    ]


def test_a_server_that_is_not_there_is_told() -> None:
    result = CliRunner().invoke(app, ["embed", "a", "--target", "127.0.0.1:1"])
    assert result.exit_code == 1
    assert "is `tokenwire serve` running at 127.0.0.1:1? --target names another" in result.stderr


@pytest.mark.parametrize("arguments", [["--dimensions", "0"], ["--dimensions", "x"], ["--timeout", "0"]])
def test_arguments_that_cannot_be_are_refused(
    server: Embeds, embed: Callable[..., Result], arguments: list[str]
) -> None:
    assert embed("a", *arguments).exit_code == 2
    assert server.requests == []


def test_texts_that_are_no_text_are_refused(embed: Callable[..., Result]) -> None:
    result = embed("\udcff")
    assert (result.exit_code, result.stderr) == (2, "error: the arguments are not UTF-8 text\n")
    result = embed(stdin=b"\xff\n")
    assert (result.exit_code, result.stderr) == (2, "error: standard input is not UTF-8 text\n")


@pytest.mark.parametrize("token", [TOKEN, ""])
def test_the_token_that_is_set_goes_with_the_call(
    server: Embeds, embed: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("TOKENWIRE_TOKEN", token)
    server.response = vectors(SHORT)
    assert embed("a").exit_code == 0
    assert server.authorizations == [[f"Bearer {token}"] if token else []]
