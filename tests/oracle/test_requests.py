"""Whatever a request of ours can say, the official SDK sends the same for it: method, path and body."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from oracle.capture import Case, Senders, Sent, canonical, mutations, sending
from oracle.cases_messages import MESSAGES
from oracle.cases_options import OPTIONS

from tokenwire_server.rpc.validate import validate
from tokenwire_server.settings import Server
from tokenwire_server.unsupported import Unsupported

CASES = [*MESSAGES, *OPTIONS]

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))


in_one_loop = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def senders() -> AsyncIterator[Senders]:
    async with sending() as both:
        yield both


def request_of(sent: Sent, body: bytes | None = None) -> object:
    """What the two must agree in."""
    return sent.method, sent.path, canonical(sent.body if body is None else body)


@every_case
def test_the_table_holds_requests_that_the_server_accepts(case: Case) -> None:
    unsupported = Unsupported()
    validate(case.request, Server(), unsupported)
    assert unsupported.warnings == []


@in_one_loop
@every_case
@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
async def test_we_send_what_the_sdk_sends(senders: Senders, case: Case, *, stream: bool) -> None:
    ours = await senders.ours(case.request, stream=stream)
    theirs = await senders.theirs(case.arguments, stream=stream)
    assert (ours.method, ours.path) == ("POST", "/v1/chat/completions")
    assert request_of(ours) == request_of(theirs)


@in_one_loop
@every_case
async def test_no_change_of_the_body_stays_unseen(senders: Senders, case: Case) -> None:
    ours = await senders.ours(case.request)
    theirs = await senders.theirs(case.arguments)
    changed = list(mutations(ours.json))
    assert len(changed) > 10
    unseen = [name for name, body in changed if request_of(ours, body) == request_of(theirs)]
    assert unseen == []


@in_one_loop
async def test_no_change_of_method_or_path_stays_unseen(senders: Senders) -> None:
    sent = await senders.ours(CASES[0].request)
    for other in (
        Sent("PUT", sent.path, sent.headers, sent.body),
        Sent(sent.method, sent.path + "?a=1", sent.headers, sent.body),
        Sent(sent.method, "/v1/completions", sent.headers, sent.body),
    ):
        assert request_of(sent) != request_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"a":1}', b'{"a":true}'),
        (b'{"a":0}', b'{"a":false}'),
        (b'{"a":0}', b"{}"),
        (b'{"a":null}', b"{}"),
        (b'{"a":9007199254740993}', b'{"a":9007199254740992}'),
        (b'{"a":"1"}', b'{"a":1}'),
        (b'{"a":[1,2]}', b'{"a":[2,1]}'),
        (b'{"a":{}}', b'{"a":[]}'),
    ],
)
def test_bodies_that_mean_different_things_differ(one: bytes, other: bytes) -> None:
    assert canonical(one) != canonical(other)


def test_order_of_keys_and_notation_of_numbers_mean_nothing() -> None:
    assert canonical(b'{"a":0,"b":100}') == canonical(b'{"b":1e2,"a":0.0}')


def test_a_key_that_occurs_twice_is_no_body() -> None:
    with pytest.raises(ValueError, match="twice"):
        canonical(b'{"a":1,"a":1}')
