"""Whatever a request of ours can say to the Responses API, the official SDK sends the same for it."""

from collections.abc import AsyncIterator, Mapping

import pytest
import pytest_asyncio
from oracle.capture import Case, Senders, Sent, canonical, mutations, sending_responses
from oracle.cases_responses import MESSAGES
from oracle.cases_responses_options import KNOWN, OPTIONS, TO_A_KNOWN_MODEL

from tokenwire_server.rpc.validate import validate
from tokenwire_server.settings import Server
from tokenwire_server.unsupported import Unsupported

CASES = [*MESSAGES, *OPTIONS, *TO_A_KNOWN_MODEL]
BOTH = Mapping[bool, Senders]
"""Senders to a model that is known, and to one that is not."""

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
in_one_loop = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def models() -> AsyncIterator[BOTH]:
    async with sending_responses() as unknown, sending_responses(**KNOWN) as known:
        yield {True: known, False: unknown}


def to(models: BOTH, case: Case) -> Senders:
    return models[case in TO_A_KNOWN_MODEL]


def request_of(sent: Sent, body: bytes | None = None) -> object:
    """What the two must agree in."""
    return sent.method, sent.path, canonical(sent.body if body is None else body)


def test_no_two_cases_are_the_same() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


@every_case
def test_the_table_holds_requests_that_the_server_accepts(case: Case) -> None:
    unsupported = Unsupported()
    validate(case.request, Server(), unsupported)
    assert unsupported.warnings == []


@in_one_loop
@every_case
@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
async def test_we_send_what_the_sdk_sends(models: BOTH, case: Case, *, stream: bool) -> None:
    senders = to(models, case)
    ours = await senders.ours(case.request, stream=stream)
    theirs = await senders.theirs(case.arguments, stream=stream)
    assert (ours.method, ours.path) == ("POST", "/v1/responses")
    assert request_of(ours) == request_of(theirs)


@in_one_loop
@every_case
async def test_no_change_of_the_body_stays_unseen(models: BOTH, case: Case) -> None:
    senders = to(models, case)
    ours = await senders.ours(case.request)
    theirs = await senders.theirs(case.arguments)
    changed = list(mutations(ours.json))
    assert len(changed) > 10
    unseen = [name for name, body in changed if request_of(ours, body) == request_of(theirs)]
    assert unseen == []
