"""Mistral's embeddings: what an answer holds, and what is refused."""

import math
from collections.abc import AsyncIterator

import pytest
from mistralai.client import Mistral
from mistralai.client.errors import HTTPValidationError, SDKError
from mistralai.client.models import EmbeddingDtype
from simulator.embeddings import MISTRAL_PATH, ask, asking_mistral, cosine, numbers, rows, unpacked
from simulator.wire import Body

from tokenwire_server.simulator import Script, Simulator

TEXTS = ["The cat sits on the mat", "A cat is sitting on a mat", "Quarterly revenue grew"]
CODE = "codestral-embed"
ARGS, PROMPT = "invalid_request_invalid_args", "invalid_request_prompt"


@pytest.fixture
async def mistral(simulator: Simulator) -> AsyncIterator[Mistral]:
    async with Mistral(api_key="test", server_url=simulator.mistral_url) as sdk:
        yield sdk


async def test_the_sdk_gets_embeddings(mistral: Mistral) -> None:
    done = await mistral.embeddings.create_async(model="mistral-embed", inputs=TEXTS, metadata={"a": 1})
    cat, sitting, revenue = (row.embedding or [] for row in done.data)
    assert [row.index for row in done.data] == [0, 1, 2]
    assert len(cat) == 1024
    assert math.hypot(*cat) == pytest.approx(1, abs=1e-6)
    assert cosine(cat, sitting) > 0.3 > cosine(cat, revenue)
    assert (done.object, done.model) == ("list", "mistral-embed")
    assert len(done.id) == 32
    assert done.usage.total_tokens == (done.usage.prompt_tokens or 0) > 0


@pytest.mark.parametrize(
    ("dtype", "length", "low", "high"),
    [
        ("float", 512, -1, 1),
        ("int8", 512, -128, 127),
        ("uint8", 512, 0, 255),
        ("binary", 64, -128, 127),
        ("ubinary", 64, 0, 255),
    ],
)
async def test_the_sdk_gets_other_types(
    mistral: Mistral, dtype: EmbeddingDtype, length: int, low: int, high: int
) -> None:
    done = await mistral.embeddings.create_async(
        model=CODE, inputs="def f(): ...", output_dimension=512, output_dtype=dtype
    )
    found = done.data[0].embedding or []
    assert len(found) == length
    assert low <= min(found) < max(found) <= high
    assert dtype == "float" or all(number == int(number) for number in found)


async def of(simulator: Simulator, dtype: str, **parameters: object) -> Body:
    body = asking_mistral("a b c", model=CODE, output_dtype=dtype, output_dimension=64, **parameters)
    return rows(await ask(simulator, body, path=MISTRAL_PATH))[0]


async def test_other_types_say_the_same(simulator: Simulator) -> None:
    floats = numbers(await of(simulator, "float"))
    signed = numbers(await of(simulator, "int8"))
    assert cosine(floats, signed) > 0.999
    assert numbers(await of(simulator, "uint8")) == [number + 128 for number in signed]
    packed = numbers(await of(simulator, "ubinary"))
    assert [int(byte) >> (7 - bit) & 1 for byte in packed for bit in range(8)] == [n > 0 for n in floats]
    assert numbers(await of(simulator, "binary")) == [byte - 128 for byte in packed]


@pytest.mark.parametrize(
    ("dtype", "form"), [("float", "f"), ("int8", "b"), ("uint8", "B"), ("binary", "b"), ("ubinary", "B")]
)
async def test_base64_says_the_same(simulator: Simulator, dtype: str, form: str) -> None:
    packed = unpacked(await of(simulator, dtype, encoding_format="base64"), form)
    assert packed == numbers(await of(simulator, dtype, encoding_format="float"))


@pytest.mark.parametrize(("size", "length"), [(None, 1536), (3072, 3072), (1, 1)])
async def test_sizes(simulator: Simulator, size: int | None, length: int) -> None:
    body = asking_mistral(model=CODE, output_dimension=size)
    (row,) = rows(await ask(simulator, body, path=MISTRAL_PATH))
    assert len(numbers(row)) == length


@pytest.mark.parametrize(
    ("body", "kind", "place"),
    [
        (asking_mistral(dimensions=8), "extra_forbidden", ["dimensions"]),
        (asking_mistral(user="me"), "extra_forbidden", ["user"]),
        ({"model": "mistral-embed", "inputs": "a"}, "missing", ["input"]),
        (asking_mistral([1, 2]), "string_type", ["input", "list[str]", 0]),
        (asking_mistral(None), "string_type", ["input", "str"]),
        (asking_mistral(model=None), "string_type", ["model"]),
        (asking_mistral(metadata=[]), "dict_type", ["metadata"]),
        (asking_mistral(output_dimension=0), "greater_than_equal", ["output_dimension"]),
        (asking_mistral(output_dtype="int4"), "enum", ["output_dtype"]),
        (asking_mistral(encoding_format=None), "enum", ["encoding_format"]),
    ],
)
async def test_bodies_of_a_wrong_form(
    simulator: Simulator, body: Body, kind: str, place: list[object]
) -> None:
    answer = await ask(simulator, body, path=MISTRAL_PATH)
    assert answer.status == 422
    inner = answer.json["message"]
    assert isinstance(inner, dict)
    assert (kind, ["body", *place]) in [(found["type"], found["loc"]) for found in inner["detail"]]


@pytest.mark.parametrize(
    ("body", "kind", "code", "text"),
    [
        (asking_mistral(model="mistral-imagined"), "invalid_model", "1500", "Invalid model"),
        (asking_mistral(model="mistral-small-latest"), "invalid_model", "1500", "Invalid model"),
        (asking_mistral(output_dimension=512), ARGS, "3051", "does not support output_dimension."),
        (asking_mistral(output_dtype="int8"), ARGS, "3051", "does not support output_dtype."),
        (asking_mistral(model=CODE, output_dimension=3073), ARGS, "3051", "at most 3072"),
        (
            asking_mistral(model=CODE, output_dimension=9, output_dtype="binary"),
            ARGS,
            "3051",
            "multiple of 8",
        ),
        (asking_mistral([]), "invalid_request_error", None, "at least one input element"),
        (
            asking_mistral(["a", "b " * 8193]),
            PROMPT,
            "3210",
            "Input id 1 has 8194 tokens, exceeding max 8192",
        ),
        (asking_mistral(["b " * 8000] * 3), PROMPT, "3210", "Too many tokens overall"),
    ],
)
async def test_refusals(simulator: Simulator, body: Body, kind: str, code: str | None, text: str) -> None:
    answer = await ask(simulator, body, path=MISTRAL_PATH)
    assert (answer.status, answer.json["type"], answer.json["code"]) == (400, kind, code)
    assert text in str(answer.json["message"])


async def test_scripts(simulator: Simulator, mistral: Mistral) -> None:
    simulator.script(Script(drop_last=1), Script(error="capacity"))
    done = await mistral.embeddings.create_async(model="mistral-embed", inputs=TEXTS)
    assert len(done.data) == 2
    with pytest.raises(SDKError):
        await mistral.embeddings.create_async(model="mistral-embed", inputs=TEXTS)
    with pytest.raises(HTTPValidationError):
        await mistral.embeddings.create_async(model="mistral-embed", inputs="a", output_dimension=-1)
    assert (await ask(simulator, b"{", path=MISTRAL_PATH)).status == 422
