"""Whatever a request for a response says, it is answered, and an accepted stream is what it has to be."""

import json

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from simulator.wire import Body

from tokenwire_server.simulator import Received
from tokenwire_server.simulator.compatible import MOUNTS as COMPATIBLE
from tokenwire_server.simulator.openai_api import MOUNT as OPENAI
from tokenwire_server.simulator.reply import Exchange, Mount

_NAMES = (
    *("model", "input", "instructions", "tools", "tool_choice", "text", "include", "max_output_tokens"),
    *(
        "reasoning",
        "previous_response_id",
        "store",
        "stream_options",
        "temperature",
        "metadata",
        "top_logprobs",
    ),
)
_KEYS = st.sampled_from(
    (
        *("role", "content", "type", "text", "name", "parameters", "arguments", "call_id", "output", "id"),
        *("format", "schema", "image_url", "file_url", "file_data", "summary", "encrypted_content", "effort"),
        *("mode", "tools", "include_obfuscation"),
    )
)
_WORDS = st.sampled_from(
    (
        *(
            "user",
            "assistant",
            "message",
            "input_text",
            "input_image",
            "input_file",
            "output_text",
            "reasoning",
        ),
        *(
            "function",
            "function_call",
            "function_call_output",
            "item_reference",
            "web_search_call",
            "json_schema",
        ),
        *("gpt-4o", "gpt-5", "high", "auto", "required", "allowed_tools", "web_search", "custom", "call_1"),
        *("rs_1", "gAAAAABzaW0é", "data:text/plain;base64,aGk=", "https://[", "reasoning.encrypted_content"),
    )
)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 40)
    | st.floats(allow_nan=False)
    | _WORDS
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=10,
)
_ITEMS = st.lists(
    st.fixed_dictionaries({"type": _WORDS}, optional={"role": _WORDS, "content": _VALUES})
    | st.dictionaries(_KEYS, _VALUES, max_size=5),
    max_size=4,
)
_SPEAKING = [mount for mount in COMPATIBLE if not mount.prefix.endswith("/odd/")]


@pytest.mark.parametrize("mount", [OPENAI, *_SPEAKING], ids=lambda mount: mount.prefix)
@settings(deadline=None)  # the machine may be busy
@example(
    changes={},
    items=[{"role": "user", "content": [{"type": "input_file", "file_url": "https://["}]}],
    stream=False,
)
@given(
    changes=st.dictionaries(st.sampled_from(_NAMES), _VALUES, max_size=4),
    items=st.just("Hi") | _ITEMS,
    stream=st.booleans(),
)
def test_any_body_is_answered(mount: Mount, changes: Body, items: object, stream: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    body = {"model": "gpt-4o", "input": items, "stream": stream} | changes
    path = f"{mount.prefix.removesuffix('v1/')}v1/responses?api-version=1"
    received = Received("POST", path, {"authorization": "Bearer sk-test"}, json.dumps(body).encode(), body)
    reply = mount.answer(Exchange(received, 1, 0))
    assert reply.status in {200, 400, 404}
    if reply.events is None:
        json.loads(reply.body)
        return
    told = [event for event in reply.events if event.kind not in {"comment", "done"}]
    assert [event.kind for event in told].count("finish") == 1
    assert told[-1].kind == "finish"
    assert [orjson.loads(event.data)["sequence_number"] for event in told] == [*range(len(told))]
