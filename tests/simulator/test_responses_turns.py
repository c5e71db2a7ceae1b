"""Conversations over several requests: sent back by the caller, or stored."""

import pytest
from simulator.responses import FUNCTION, ask, ask_for, kinds, output, response, streamed, text
from simulator.wire import Body

from tokenwire_server.simulator import Simulator
from tokenwire_server.simulator.conversations import Conversations

USER: Body = {"role": "user", "content": "Hi"}
THINKING: Body = {"model": "gpt-5", "reasoning": {"effort": "low"}, "tools": [FUNCTION], "store": False}
SHORT: Body = {"model": "gpt-5", "reasoning": {"effort": "low"}, "store": False}
UNPARSED = "Encrypted content could not be decrypted or parsed."


def results(items: list[Body]) -> list[Body]:
    return [
        {"type": "function_call_output", "call_id": item["call_id"], "output": f"result {index}"}
        for index, item in enumerate(item for item in items if item["type"] == "function_call")
    ]


async def test_a_conversation_that_the_caller_keeps(simulator: Simulator) -> None:
    said: list[Body] = [{**USER, "content": "[sim:twice] Hi."}]
    first = output(await response(simulator, ask_for(said, **THINKING)))
    assert [item["type"] for item in first] == ["reasoning", "function_call", "function_call"]
    said += [*first, *results(first)]
    second = await response(simulator, ask_for(said, **THINKING))
    assert kinds(second) == ["reasoning", "message"]
    assert "“result 0”. The tool answered: “result 1”." in text(second)
    said += [*output(second), USER]
    assert kinds(await response(simulator, ask_for(said, **THINKING))) == ["reasoning", "function_call"]


async def test_a_conversation_that_is_stored(simulator: Simulator) -> None:
    first = await response(simulator, ask_for(tools=[FUNCTION]))
    called = ask_for(results(output(first)), tools=[FUNCTION], previous_response_id=first["id"])
    second = await response(simulator, called)
    assert second["previous_response_id"] == first["id"]
    assert "“Say something.”" in text(second)
    assert "“result 0”" in text(second)
    third = await response(simulator, ask_for("Bye.", previous_response_id=second["id"]))
    assert "“Bye.”" in text(third)


async def test_streams_are_stored_too(simulator: Simulator) -> None:
    first = (await streamed(simulator, ask_for()))[-1]["response"]
    assert isinstance(first, dict)
    again = ask_for(None, previous_response_id=first["id"])
    assert "“Say something.”" in text(await response(simulator, again))


async def test_what_is_not_stored_is_not_found(simulator: Simulator) -> None:
    first = await response(simulator, ask_for(store=False))
    error = (await ask(simulator, ask_for(previous_response_id=first["id"]))).error
    assert error == {
        "message": f"Previous response with id '{first['id']}' not found.",
        "type": "invalid_request_error",
        "param": "previous_response_id",
        "code": "previous_response_not_found",
    }


async def test_providers_do_not_share_what_they_store(simulator: Simulator) -> None:
    azure = "/compatible/azure/openai/v1/responses?api-version=preview"
    first = await response(simulator, ask_for())
    again = ask_for(previous_response_id=first["id"])
    assert (await ask(simulator, again)).status == 200
    assert (await ask(simulator, again, path=azure)).error["code"] == "previous_response_not_found"


async def test_what_is_stored_can_be_forgotten(simulator: Simulator) -> None:
    first = await response(simulator, ask_for())
    simulator.clear()
    assert (await ask(simulator, ask_for(previous_response_id=first["id"]))).status == 400


def test_the_oldest_are_forgotten() -> None:
    stored = Conversations()
    for number in range(1_001):
        stored.keep(f"resp_{number}", [{"id": f"msg_{number}"}])
    assert (stored.until("resp_0"), stored.item("msg_0")) == (None, None)
    assert (stored.until("resp_1"), stored.item("msg_1")) == ([{"id": "msg_1"}], {"id": "msg_1"})


async def test_items_are_found_by_reference(simulator: Simulator) -> None:
    first = await response(simulator, ask_for("[sim:echo] one two"))
    (message,) = output(first)
    reference = {"type": "item_reference", "id": message["id"]}
    assert (await ask(simulator, ask_for([USER, reference, USER]))).status == 200
    lost = await ask(simulator, ask_for([USER, {**reference, "id": "msg_lost"}, USER]))
    assert (lost.status, lost.error["param"]) == (404, "input")
    assert "Item with id 'msg_lost' not found." in str(lost.error["message"])


@pytest.mark.parametrize("missing", ["call", "output"])
async def test_calls_and_outputs_go_together(simulator: Simulator, missing: str) -> None:
    first = output(await response(simulator, ask_for(tools=[FUNCTION])))
    name = first[0]["call_id"]
    items = results(first) if missing == "call" else first
    error = (await ask(simulator, ask_for([USER, *items]))).error
    assert (
        error["message"]
        == {
            "call": f"No tool call found for function call output with call_id {name}.",
            "output": f"No tool output found for function call {name}.",
        }[missing]
    )


async def reasoning(simulator: Simulator) -> tuple[Body, Body]:
    """The reasoning and the message of one answer that is not stored."""
    thought, message = output(await response(simulator, ask_for(**SHORT)))
    return thought, message


async def test_reasoning_goes_with_what_followed_it(simulator: Simulator) -> None:
    thought, message = await reasoning(simulator)
    edited = {"role": "assistant", "content": "Something else."}
    for items, accepted in [
        ([USER, thought, message, USER], True),
        ([USER, {key: thought[key] for key in ("type", "summary", "encrypted_content")}, USER], True),
        ([USER, thought, USER], False),
        ([USER, thought, edited, USER], False),
        ([USER, thought], False),
    ]:
        answer = await ask(simulator, ask_for(items, **SHORT))
        assert (answer.status == 200) == accepted, answer.body
        assert accepted or answer.error["message"] == (
            f"Item '{thought['id']}' of type 'reasoning' was provided without its required following item."
        )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"encrypted_content": "{}x"}, UNPARSED),
        ({"encrypted_content": "x{}"}, UNPARSED),
        ({"encrypted_content": "gAAAAABzaW0x"}, UNPARSED),
        ({"encrypted_content": "gAAAAABzaW0é"}, UNPARSED),
        ({"id": "rs_other"}, "Encrypted content item_id did not match the target item id."),
    ],
)
async def test_changed_reasoning_is_refused(
    simulator: Simulator, changes: dict[str, str], reason: str
) -> None:
    thought, message = await reasoning(simulator)
    content = changes.get("encrypted_content", "{}").format(thought["encrypted_content"])
    changed = {**thought, **changes, "encrypted_content": content}
    error = (await ask(simulator, ask_for([USER, changed, message, USER], **SHORT))).error
    assert error["code"] == "invalid_encrypted_content"
    assert str(error["message"]).endswith(f"could not be verified. Reason: {reason}")


async def test_a_changed_byte_is_noticed(simulator: Simulator) -> None:
    thought, message = await reasoning(simulator)
    content = str(thought["encrypted_content"])
    for at in range(len("gAAAAABzaW0"), len(content)):
        other = "A" if content[at] != "A" else "B"
        changed = {**thought, "encrypted_content": content[:at] + other + content[at + 1 :]}
        answer = await ask(simulator, ask_for([USER, changed, message, USER], **SHORT))
        assert answer.status == 400, at


async def test_reasoning_without_its_content_is_found_only_if_stored(simulator: Simulator) -> None:
    for stored in (True, False):
        thought, message = output(await response(simulator, ask_for(**SHORT | {"store": stored})))
        bare = {"type": "reasoning", "id": thought["id"], "summary": []}
        answer = await ask(simulator, ask_for([USER, bare, message, USER], **SHORT))
        assert answer.status == (200 if stored else 404)
