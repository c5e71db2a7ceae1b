"""Whatever a request says, each dialect answers it, and an accepted stream is what it has to be."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulator.wire import Body

from tokenwire_server.simulator import Received
from tokenwire_server.simulator.compatible import MOUNTS as COMPATIBLE
from tokenwire_server.simulator.mistral_api import MOUNT as MISTRAL
from tokenwire_server.simulator.openai_api import MOUNT as OPENAI
from tokenwire_server.simulator.reply import Exchange, Mount

_NAMES = (
    *("model", "messages", "tools", "tool_choice", "response_format", "stop", "n", "max_tokens", "stream"),
    *("reasoning", "reasoning_effort", "logprobs", "top_logprobs", "thinking", "metadata", "prediction"),
)
_KEYS = st.sampled_from(
    (
        *("role", "content", "type", "text", "function", "name", "parameters", "arguments", "tool_calls"),
        *("id", "tool_call_id", "json_schema", "schema", "image_url", "url", "thinking", "effort", "prefix"),
    )
)
_WORDS = st.sampled_from(
    (
        *("user", "assistant", "tool", "system", "text", "function", "json_schema", "thinking", "image_url"),
        *("gpt-4o", "mistral-small-latest", "high", "abcDEF123", "auto", "required"),
    )
)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 9)
    | st.floats(allow_nan=False)
    | _WORDS
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=8,
)
_EMBEDDING_NAMES = (
    *("model", "input", "dimensions", "encoding_format", "user", "metadata"),
    *("output_dimension", "output_dtype"),
)
_BODIES = st.dictionaries(st.sampled_from(_NAMES), _VALUES, max_size=4)


@pytest.mark.parametrize("mount", [OPENAI, MISTRAL, *COMPATIBLE], ids=lambda mount: mount.prefix)
@given(changes=_BODIES, stream=st.booleans())
def test_any_body_is_answered(mount: Mount, changes: Body, stream: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    model = "mistral-small-latest" if mount is MISTRAL else "gpt-4o"
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "stream": stream} | changes
    path = f"{mount.prefix.removesuffix('v1/')}v1/chat/completions?api-version=1"
    headers = {"authorization": "Bearer sk-test"}
    received = Received("POST", path, headers, json.dumps(body).encode(), body)
    reply = mount.answer(Exchange(received, 1, 0))
    assert reply.status in {200, 400, 404, 422}
    if reply.events is None:
        json.loads(reply.body)
    else:
        assert [event.kind for event in reply.events].count("start") >= 1
        assert any(event.kind == "finish" for event in reply.events)


@pytest.mark.parametrize("mount", [OPENAI, MISTRAL, *COMPATIBLE], ids=lambda mount: mount.prefix)
@given(changes=st.dictionaries(st.sampled_from(_EMBEDDING_NAMES), _VALUES, max_size=4))
def test_any_body_for_embeddings_is_answered(mount: Mount, changes: Body) -> None:
    model = "mistral-embed" if mount is MISTRAL else "text-embedding-3-small"
    body = {"model": model, "input": ["Hi"]} | changes
    path = f"{mount.prefix.removesuffix('v1/')}v1/embeddings?api-version=1"
    headers = {"authorization": "Bearer sk-test"}
    received = Received("POST", path, headers, json.dumps(body).encode(), body)
    reply = mount.answer(Exchange(received, 1, 0))
    assert reply.status in {200, 400, 403, 404, 422}
    json.loads(reply.body)
