"""Whatever a request of ours can say to Mistral, its SDK sends the same for it: method, path and body."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from oracle.capture import Case, Senders, Sent, canonical, mutations, sending_to_mistral
from oracle.cases_mistral import CASES

from tokenwire_server.rpc.validate import validate
from tokenwire_server.settings import Server
from tokenwire_server.unsupported import Unsupported

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))

in_one_loop = pytest.mark.asyncio(loop_scope="module")

ZERO = canonical(b"0")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def senders() -> AsyncIterator[Senders]:
    async with sending_to_mistral() as both:
        yield both


def ours(sent: Sent, body: bytes | None = None) -> object:
    """What we send, as it is."""
    return sent.method, sent.path, canonical(sent.body if body is None else body)


def theirs(sent: Sent) -> tuple[str, str, Any]:
    """What the SDK sends, without the defaults that it writes out and Mistral's API reference names."""
    body = without(canonical(sent.body), stream=False)
    body["messages"] = [said(message) for message in body["messages"]]
    return sent.method, sent.path, body


def said(message: dict[str, Any]) -> dict[str, Any]:
    if message["role"] != "assistant":
        return message
    message = without(message, prefix=False)
    if "tool_calls" in message:
        message["tool_calls"] = [without(call, index=ZERO) for call in message["tool_calls"]]
    return message


def without(fields: dict[str, Any], **defaults: object) -> dict[str, Any]:
    """The fields but those that have just these values; `canonical` tells false from 0."""
    return {key: value for key, value in fields.items() if key not in defaults or defaults[key] != value}


@every_case
def test_the_table_holds_requests_that_the_server_accepts(case: Case) -> None:
    unsupported = Unsupported()
    validate(case.request, Server(), unsupported)
    assert unsupported.warnings == []


@in_one_loop
@every_case
@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
async def test_we_send_what_the_sdk_sends(senders: Senders, case: Case, *, stream: bool) -> None:
    our = await senders.ours(case.request, stream=stream)
    their = await senders.theirs(case.arguments, stream=stream)
    assert (our.method, our.path) == ("POST", "/v1/chat/completions")
    assert ours(our) == theirs(their)


@in_one_loop
@every_case
async def test_no_change_of_the_body_stays_unseen(senders: Senders, case: Case) -> None:
    our = await senders.ours(case.request)
    their = theirs(await senders.theirs(case.arguments))
    changed = list(mutations(our.json))
    assert len(changed) > 10
    assert [name for name, body in changed if ours(our, body) == their] == []


@in_one_loop
async def test_nothing_but_defaults_is_taken_from_what_the_sdk_sends(senders: Senders) -> None:
    call = {"id": "abcdefgh1", "index": 1, "function": {"name": "f", "arguments": "{}"}}
    said = {"role": "assistant", "content": "", "tool_calls": [call], "prefix": True}
    sent = await senders.theirs({"messages": [said]}, stream=True)
    _, _, body = theirs(sent)
    assert body == canonical(sent.body)
    assert body["stream"] is True
