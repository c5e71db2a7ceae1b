"""OpenAI's embeddings: what an answer holds, what is refused, and what scripts do."""

import math

import openai
import pytest
from openai import AsyncOpenAI
from simulator.embeddings import PATH, ask, asking, cosine, numbers, rows, unpacked
from simulator.wire import Body, chat, request

from tokenwire_server.simulator import Script, Simulator

TEXTS = ["The cat sits on the mat", "A cat is sitting on a mat", "Quarterly revenue grew"]
SIZES = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}
INVALID = "'$.{}' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference."


@pytest.mark.parametrize("model", SIZES)
async def test_the_sdk_gets_the_same_through_base64_and_floats(client: AsyncOpenAI, model: str) -> None:
    packed = await client.embeddings.create(model=model, input=TEXTS)
    plain = await client.embeddings.create(model=model, input=TEXTS, encoding_format="float")
    assert [row.embedding for row in packed.data] == [row.embedding for row in plain.data]
    assert [row.index for row in packed.data] == [0, 1, 2]
    assert {len(row.embedding) for row in packed.data} == {SIZES[model]}
    assert packed.usage == plain.usage
    assert packed.usage.total_tokens == packed.usage.prompt_tokens > 0
    assert packed.model.startswith(model)
    cat, sitting, revenue = (row.embedding for row in packed.data)
    assert cosine(cat, sitting) > 0.3 > cosine(cat, revenue)
    assert math.hypot(*cat) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("size", [1, 7, 256, 1536])
async def test_dimensions(client: AsyncOpenAI, size: int) -> None:
    done = await client.embeddings.create(
        model="text-embedding-3-small", input=TEXTS[0], dimensions=size, user="me"
    )
    assert len(done.data[0].embedding) == size
    assert math.hypot(*done.data[0].embedding) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("given", "count", "tokens"),
    [("one two", 1, 2), (["one two", "three"], 2, 4), ([5, 6, 7], 1, 3), ([[5, 6], [7]], 2, 3), ([0], 1, 1)],
)
async def test_forms_of_input(simulator: Simulator, given: object, count: int, tokens: int) -> None:
    answer = await ask(simulator, asking(given))
    assert [row["index"] for row in rows(answer)] == list(range(count))
    assert all(row["object"] == "embedding" and len(numbers(row)) == 1536 for row in rows(answer))
    assert answer.json["object"] == "list"
    assert answer.json["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}
    assert answer.headers["x-ratelimit-remaining-tokens"] == str(2_000_000 - tokens)


async def test_a_row_does_not_depend_on_its_neighbours(simulator: Simulator) -> None:
    alone = rows(await ask(simulator, asking("a", encoding_format="base64")))
    among = rows(await ask(simulator, asking(["b", "a"], encoding_format="base64")))
    assert alone[0]["embedding"] == among[1]["embedding"] != among[0]["embedding"]
    assert len(unpacked(alone[0])) == 1536


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (asking(""), INVALID.format("input")),
        (asking([]), INVALID.format("input")),
        (asking(["a", ""]), INVALID.format("input")),
        (asking([[1], []]), INVALID.format("input")),
        (asking(None), INVALID.format("input")),
        (asking(7), INVALID.format("input")),
        (asking({"text": "a"}), INVALID.format("input")),
        (asking(["a", 1]), INVALID.format("input")),
        (asking([1, -1]), INVALID.format("input")),
        (asking([True]), INVALID.format("input")),
        (asking([1.5]), INVALID.format("input")),
        (asking([[1], "a"]), INVALID.format("input")),
        ({"model": "text-embedding-3-small"}, INVALID.format("input")),
        (asking(model=7), INVALID.format("model")),
        (asking(dimensions="8"), INVALID.format("dimensions")),
        (asking(dimensions=True), INVALID.format("dimensions")),
        (asking(encoding_format="hex"), INVALID.format("encoding_format")),
        (asking(encoding_format=["float"]), INVALID.format("encoding_format")),
        (asking(user=1), INVALID.format("user")),
        (asking(model=None), "you must provide a model parameter"),
        (asking(inputs="a"), "Unrecognized request argument supplied: inputs"),
        (
            asking(dimensions=1537),
            "Invalid value for 'dimensions' = 1537. Must be less than or equal to 1536.",
        ),
        (asking(dimensions=0), "Invalid value for 'dimensions' = 0. Must be greater than or equal to 1."),
        (
            asking(model="text-embedding-ada-002", dimensions=1536),
            "This model does not support specifying dimensions.",
        ),
        (
            asking(model="text-embedding-ada-002", dimensions=None),
            "This model does not support specifying dimensions.",
        ),
        (asking(["a"] * 2049), "Invalid 'input': array length must be 2048 or less."),
        (asking(["a", "b " * 8193]), "Invalid 'input[1]': maximum input length is 8192 tokens."),
        (asking([[1] * 8193]), "Invalid 'input[0]': maximum input length is 8192 tokens."),
        (asking("b " * 8193), "Invalid 'input': maximum input length is 8192 tokens."),
    ],
)
async def test_refusals(simulator: Simulator, body: Body, message: str) -> None:
    answer = await ask(simulator, body)
    assert (answer.status, answer.error) == (
        400,
        {"message": message, "type": "invalid_request_error", "param": None, "code": None},
    )


async def test_too_many_tokens_together_are_refused(simulator: Simulator) -> None:
    """The reported body."""
    answer = await ask(simulator, asking([[1] * 8000] * 38))
    assert (answer.status, answer.error) == (
        400,
        {
            "message": "Requested 304000 tokens, max 300000 tokens per request",
            "type": "max_tokens_per_request",
            "param": None,
            "code": "max_tokens_per_request",
        },
    )


async def test_the_most_that_is_accepted(simulator: Simulator) -> None:
    answer = await ask(simulator, asking(["a"] * 2048, dimensions=2, encoding_format="base64"))
    assert len(rows(answer)) == 2048
    assert len(rows(await ask(simulator, asking([[1] * 8192], user=None, dimensions=None)))) == 1


@pytest.mark.parametrize(
    ("model", "status", "code"), [("gpt-4o", 403, None), ("text-embedding-4", 404, "model_not_found")]
)
async def test_other_models(simulator: Simulator, model: str, status: int, code: str | None) -> None:
    answer = await ask(simulator, asking(model=model))
    assert (answer.status, answer.error["code"]) == (status, code)


async def test_embedding_models_do_not_chat(simulator: Simulator) -> None:
    answer = await request(simulator, chat(model="text-embedding-3-small"))
    assert (answer.status, answer.error["param"]) == (404, "model")
    assert "not a chat model" in str(answer.error["message"])


async def test_bodies_methods_and_keys(simulator: Simulator) -> None:
    assert (await ask(simulator, b"{")).status == 400
    assert (await request(simulator, method="GET", path=PATH)).status == 405
    assert (await request(simulator, asking(), path=PATH, headers={})).status == 401


@pytest.mark.parametrize(
    ("script", "status", "ended"),
    [
        ({"status": 503}, 503, "complete"),
        ({"error": "rate_limit"}, 429, "complete"),
        ({"raw": "<html>"}, 200, "complete"),
        ({"cut_at_byte": 500}, 200, "fin"),
        ({"cut_at_byte": 500, "how": "rst"}, 200, "rst"),
        ({"split_bytes": 4096}, 200, "complete"),
        ({"headers_delay": 0.01, "first_token_delay": 0.01}, 200, "complete"),
        ({"bad_json_event": True}, 200, "complete"),
    ],
)
async def test_scripts(simulator: Simulator, script: object, status: int, ended: str) -> None:
    answer = await ask(simulator, asking(TEXTS), script=script)
    assert (answer.status, answer.ended) == (status, ended)


@pytest.mark.parametrize(("left_out", "count"), [(1, 2), (3, 0), (9, 0)])
async def test_rows_may_be_left_out(simulator: Simulator, left_out: int, count: int) -> None:
    answer = await ask(simulator, asking(TEXTS), script={"drop_last": left_out, "no_usage": True})
    assert len(rows(answer)) == count
    assert "usage" not in answer.json


async def test_the_sdk_raises_what_it_has_to(client: AsyncOpenAI, simulator: Simulator) -> None:
    simulator.script(Script(error="overloaded", path="/embeddings"))
    with pytest.raises(openai.InternalServerError):
        await client.embeddings.create(model="text-embedding-3-small", input="a")
    with pytest.raises(openai.NotFoundError):
        await client.embeddings.create(model="nonexistent", input="a")
    with pytest.raises(openai.BadRequestError):
        await client.embeddings.create(model="text-embedding-3-small", input=[])
