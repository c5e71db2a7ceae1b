"""Models: when providers are asked, what is kept of their answers, and how it is given out in pages."""

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire.v1.models_pb2 import ListModelsRequest, ListModelsResponse, Model
from tokenwire_server.call import Call, now
from tokenwire_server.errors import GatewayError
from tokenwire_server.policy.models import Models

TTL = 300.0
SECONDS = 5.0
"""For what must happen."""
FAILED = GatewayError(reason=Reason.PROVIDER_UNAVAILABLE, text="It could not be reached.")


class Source:
    """A provider that has these models, and answers once it may."""

    def __init__(self, name: str, *ids: str) -> None:
        self.name = name
        self.ids = ids
        self.asked = 0
        self.error: Exception | None = None
        self.was_asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def models(self) -> list[Model]:
        self.asked += 1
        self.was_asked.set()
        await self.may_answer.wait()
        if self.error:
            raise self.error
        return [Model(name=f"{self.name}/{id_}") for id_ in sorted(self.ids)]


class World:
    """Models over some sources, with a clock that stands still."""

    def __init__(self, *sources: Source) -> None:
        self.time = 1000.0
        self.models = Models({source.name: source for source in sources}, TTL, lambda: self.time)

    async def page(
        self, *, call: Call | None = None, provider: str = "", size: int = 0, token: str = ""
    ) -> ListModelsResponse:
        request = ListModelsRequest(provider=provider, page_size=size, page_token=token)
        return await self.models.list_models(request, call or new_call())

    async def walk(self, size: int, provider: str = "") -> list[list[str]]:
        """The names on each page."""
        pages: list[list[str]] = []
        token = ""
        while token or not pages:
            page = await self.page(provider=provider, size=size, token=token)
            pages.append(names(page))
            assert len(pages) < 100, "the walk has no end"
            token = page.next_page_token
        return pages


def new_call(seconds: float = float("inf")) -> Call:
    return Call("request-1", "ListModels", now(), now() + seconds)


def names(page: ListModelsResponse) -> list[str]:
    return [model.name for model in page.models]


def seen(page: ListModelsResponse) -> tuple[list[str], list[str]]:
    """The models listed, and the providers that could not be asked."""
    return names(page), list(page.unreachable)


async def settled() -> None:
    """Returns when nothing is being asked any more."""
    if others := asyncio.all_tasks() - {asyncio.current_task()}:
        _, pending = await asyncio.wait(others, timeout=SECONDS)
        assert not pending


@pytest.fixture
async def a() -> Source:
    return Source("a", "1", "2")


@pytest.fixture
async def b() -> Source:
    return Source("b", "3")


@pytest.fixture
async def world(a: Source, b: Source) -> AsyncIterator[World]:
    world = World(b, a)
    yield world
    await asyncio.wait_for(world.models.close(), SECONDS)


# when providers are asked


async def test_a_list_is_asked_for_once_while_it_is_fresh(world: World, a: Source, b: Source) -> None:
    for _ in range(3):
        assert names(await world.page()) == ["a/1", "a/2", "b/3"]
        world.time += TTL / 4
    assert (a.asked, b.asked) == (1, 1)


async def test_providers_are_asked_side_by_side(world: World, a: Source, b: Source) -> None:
    a.may_answer.clear()
    b.may_answer.clear()
    listing = asyncio.create_task(world.page())
    await asyncio.wait_for(asyncio.gather(a.was_asked.wait(), b.was_asked.wait()), SECONDS)
    a.may_answer.set()
    b.may_answer.set()
    assert len((await listing).models) == 3


async def test_only_the_named_provider_is_asked(world: World, a: Source, b: Source) -> None:
    assert names(await world.page(provider="b")) == ["b/3"]
    assert (a.asked, b.asked) == (0, 1)


async def test_an_old_list_is_given_at_once_and_renewed_behind(world: World, a: Source) -> None:
    await world.page()
    world.time += TTL
    a.ids, a.may_answer = ("9",), asyncio.Event()
    for _ in range(3):
        call = new_call()
        assert seen(await world.page(call=call)) == (["a/1", "a/2", "b/3"], [])
        assert not call.upstream_seconds, "it was waited for"
    a.may_answer.set()
    await settled()
    assert names(await world.page()) == ["a/9", "b/3"]
    assert a.asked == 2


async def test_first_callers_share_one_question_and_one_that_leaves_hurts_no_other(
    world: World, a: Source
) -> None:
    a.may_answer.clear()
    callers = [asyncio.create_task(world.page()) for _ in range(5)]
    await asyncio.wait_for(a.was_asked.wait(), SECONDS)
    callers[0].cancel()
    a.may_answer.set()
    first, *others = await asyncio.gather(*callers, return_exceptions=True)
    assert isinstance(first, asyncio.CancelledError)
    for page in others:
        assert isinstance(page, ListModelsResponse)
        assert names(page) == ["a/1", "a/2", "b/3"]
    assert a.asked == 1


async def test_the_question_goes_on_when_its_only_caller_leaves(world: World, a: Source) -> None:
    a.may_answer.clear()
    caller = asyncio.create_task(world.page(provider="a"))
    await asyncio.wait_for(a.was_asked.wait(), SECONDS)
    caller.cancel()
    await asyncio.wait([caller])
    a.may_answer.set()
    assert names(await world.page(provider="a")) == ["a/1", "a/2"]
    assert a.asked == 1


async def test_the_wait_for_providers_is_their_time_and_not_the_gateways(world: World) -> None:
    first, second = new_call(), new_call()
    await world.page(call=first)
    await world.page(call=second)
    assert first.upstream_seconds > 0
    assert second.upstream_seconds == 0


# providers that do not answer


async def test_a_provider_that_fails_is_named_and_the_others_are_listed(world: World, a: Source) -> None:
    a.error = FAILED
    with capture_logs() as lines:
        page = await world.page()
    assert seen(page) == (["b/3"], ["a"])
    (line,) = lines
    assert (line["log_level"], line["provider"], line["reason"]) == ("warning", "a", "PROVIDER_UNAVAILABLE")


async def test_a_provider_that_failed_is_left_alone_for_a_while(world: World, a: Source) -> None:
    a.error = FAILED
    for _ in range(3):
        assert (await world.page()).unreachable == ["a"]
        world.time += 3
    assert a.asked == 1
    a.error = None
    world.time += 1
    page = await world.page()
    assert seen(page) == (["a/1", "a/2", "b/3"], [])


async def test_what_it_said_the_last_time_is_listed_beside_its_name(world: World, a: Source) -> None:
    await world.page()
    a.error = FAILED
    world.time += TTL
    await world.page()
    await settled()
    page = await world.page()
    assert seen(page) == (["a/1", "a/2", "b/3"], ["a"])
    a.error = None
    world.time += 10
    await world.page()
    await settled()
    assert not (await world.page()).unreachable


async def test_when_none_answers_all_are_named(world: World, a: Source, b: Source) -> None:
    a.error = b.error = FAILED
    page = await world.page()
    assert seen(page) == ([], ["a", "b"])
    assert not page.next_page_token
    assert (await world.page(provider="b")).unreachable == ["b"]


async def test_one_that_hangs_costs_its_own_models_and_no_call(world: World, a: Source) -> None:
    a.may_answer.clear()
    call = new_call(0.05)
    assert seen(await world.page(call=call)) == (["b/3"], ["a"])
    assert call.upstream_seconds < 4, "the call's deadline did not end the wait"
    a.may_answer.set()
    page = await world.page()
    assert seen(page) == (["a/1", "a/2", "b/3"], [])
    assert a.asked == 1, "it was asked again while it was being asked"


async def test_a_fault_of_ours_is_logged_and_fails_no_call(world: World, a: Source) -> None:
    a.error = ZeroDivisionError("secret")
    with capture_logs() as lines:
        assert (await world.page()).unreachable == ["a"]
    (line,) = lines
    assert (line["reason"], line["exc_info"]) == ("INTERNAL", a.error)


async def test_closing_ends_what_is_being_asked(a: Source) -> None:
    before = asyncio.all_tasks()
    world = World(a)
    a.may_answer.clear()
    await world.page(call=new_call(0.01))
    assert asyncio.all_tasks() > before
    await asyncio.wait_for(world.models.close(), SECONDS)
    assert asyncio.all_tasks() == before


# pages


async def test_pages_together_are_the_whole() -> None:
    world = World(Source("a", *map(str, range(170))), Source("b", *map(str, range(80))))
    pages = await world.walk(100)
    assert [len(page) for page in pages] == [100, 100, 50]
    (whole,) = await world.walk(1000)
    assert [name for page in pages for name in page] == whole == sorted(whole)
    assert [len(page) for page in await world.walk(0, provider="a")] == [100, 70]


async def test_a_page_that_ends_with_the_last_model_is_the_last(world: World) -> None:
    assert await world.walk(3) == [["a/1", "a/2", "b/3"]]
    assert await world.walk(3, provider="b") == [["b/3"]]


@given(
    ids=st.dictionaries(
        st.sampled_from(["a", "a-b", "a0", "b", "_"]), st.sets(st.text(min_size=1), max_size=9), min_size=1
    ),
    size=st.integers(1, 7),
)
async def test_models_come_once_and_in_the_order_of_their_names(ids: dict[str, set[str]], size: int) -> None:
    world = World(*(Source(name, *found) for name, found in ids.items()))
    walked = [name for page in await world.walk(size) for name in page]
    assert walked == sorted(f"{name}/{id_}" for name, found in ids.items() for id_ in found)


async def test_a_walk_goes_on_after_its_last_name_whatever_comes_and_goes(world: World, a: Source) -> None:
    page = await world.page(size=2)
    a.ids = ("0", "1", "3")  # a/2, where the first page ended, is gone
    world.time += TTL
    await world.page()
    await settled()
    assert names(await world.page(token=page.next_page_token)) == ["a/3", "b/3"]


def packed(text: bytes) -> str:
    return urlsafe_b64encode(text).decode()


@pytest.mark.parametrize(
    "token",
    ["2", "no token", "é", "====", packed(b"a/1"), packed(b"\xff\xfe a/1"), packed(b"b b/3")],
)
async def test_a_page_token_from_elsewhere_is_refused(world: World, token: str) -> None:
    with pytest.raises(GatewayError) as raised:
        await world.page(provider="a", token=token)
    assert raised.value.reason == Reason.INVALID_REQUEST
    assert [violation.field for violation in raised.value.violations] == ["page_token"]


async def test_a_page_token_of_another_filter_is_refused(world: World) -> None:
    of_all = (await world.page(size=1)).next_page_token
    of_a = (await world.page(provider="a", size=1)).next_page_token
    for provider, token in (("a", of_all), ("b", of_a), ("", of_a)):
        with pytest.raises(GatewayError) as raised:
            await world.page(provider=provider, token=token)
        assert raised.value.reason == Reason.INVALID_REQUEST


async def test_a_provider_that_is_not_configured_is_refused(world: World, a: Source) -> None:
    with pytest.raises(GatewayError) as raised:
        await world.page(provider="nobody")
    assert raised.value.reason == Reason.PROVIDER_NOT_CONFIGURED
    assert [violation.field for violation in raised.value.violations] == ["provider"]
    assert not a.asked
