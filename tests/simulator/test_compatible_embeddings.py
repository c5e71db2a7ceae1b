"""Embeddings of compatible servers: each with its own habits."""

import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI
from simulator.embeddings import ask, asking, numbers, rows, unpacked
from simulator.wire import Answer

from tokenwire_server.simulator import COMPATIBLE, Simulator

SIZES = {"vllm": 1024, "ollama": 768, "llamacpp": 768, "openrouter": 1536, "odd": 384}
WITHOUT = ("groq", "deepseek")
TEXTS = ["one", "two", "three"]


async def embed(simulator: Simulator, name: str, body: object, script: object = None) -> Answer:
    return await ask(simulator, body, path=f"/compatible/{name}/v1/embeddings", script=script)


def test_all_servers_are_covered() -> None:
    assert {*SIZES, *WITHOUT, "azure"} == set(COMPATIBLE)


@pytest.mark.parametrize("name", SIZES)
async def test_the_sdk_works(simulator: Simulator, name: str) -> None:
    url = simulator.compatible_url(name)
    async with AsyncOpenAI(api_key="k", base_url=url, max_retries=0) as sdk:
        packed = await sdk.embeddings.create(model="any", input=TEXTS)
        plain = await sdk.embeddings.create(model="any", input=TEXTS, encoding_format="float")
    assert [row.embedding for row in packed.data] == [row.embedding for row in plain.data]
    assert {len(row.embedding) for row in packed.data} == {SIZES[name]}
    assert packed.model == "any"


@pytest.mark.parametrize(
    ("name", "packed"),
    [("vllm", True), ("openrouter", True), ("ollama", False), ("llamacpp", False), ("odd", False)],
)
async def test_base64_is_honoured_or_ignored(simulator: Simulator, name: str, packed: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    (row,) = rows(await embed(simulator, name, asking(encoding_format="base64")))
    assert len(unpacked(row) if packed else numbers(row)) == SIZES[name]


@pytest.mark.parametrize("name", SIZES)
async def test_rows_usage_and_ids(simulator: Simulator, name: str) -> None:
    answer = await embed(simulator, name, asking(TEXTS, made_up=True))
    order = [2, 1, 0] if name == "odd" else [0, 1, 2]
    assert [row["index"] for row in rows(answer)] == order
    assert ("usage" in answer.json) == (name != "odd")
    assert ("id" in answer.json) == (name in {"vllm", "openrouter"})
    first = rows(await embed(simulator, name, asking(TEXTS[0])))[0]
    assert first["embedding"] == rows(answer)[order.index(0)]["embedding"]


@pytest.mark.parametrize(
    ("name", "status", "length"),
    [
        ("vllm", 400, 0),
        ("ollama", 200, 32),
        ("llamacpp", 200, 768),
        ("openrouter", 200, 32),
        ("odd", 200, 384),
    ],
)
async def test_dimensions(simulator: Simulator, name: str, status: int, length: int) -> None:
    answer = await embed(simulator, name, asking(dimensions=32))
    assert answer.status == status
    assert status == 400 or len(numbers(rows(answer)[0])) == length
    assert status == 200 or "matryoshka" in str(answer.json["message"])


@pytest.mark.parametrize("name", SIZES)
async def test_inputs(simulator: Simulator, name: str) -> None:
    assert (await embed(simulator, name, asking([1, 2]))).status == (400 if name == "ollama" else 200)
    assert (await embed(simulator, name, asking(["a", ""]))).status == 200
    for given in ([], None, 5, ["a", 1]):
        assert (await embed(simulator, name, asking(given))).status == 400
    assert (await embed(simulator, name, {"input": "a"})).status == 200
    assert (await embed(simulator, name, b"{")).status == 400


@pytest.mark.parametrize("name", WITHOUT)
async def test_some_have_no_embeddings(simulator: Simulator, name: str) -> None:
    assert (await embed(simulator, name, asking())).status == 404


@pytest.mark.parametrize("name", [*SIZES, "azure"])
async def test_scripts(simulator: Simulator, name: str) -> None:
    path = f"/compatible/{name}/v1/embeddings?api-version=1"
    dropped = await ask(simulator, asking(TEXTS), path=path, script={"drop_last": 1, "no_usage": True})
    assert len(rows(dropped)) == 2
    assert "usage" not in dropped.json
    assert (await ask(simulator, asking(), path=path, script={"status": 503})).status == 503
    cut = await ask(simulator, asking(), path=path, script={"cut_at_byte": 9, "how": "rst"})
    assert cut.ended == "rst"


async def test_azure_has_openais_rules(simulator: Simulator) -> None:
    endpoint = simulator.compatible_url("azure").removesuffix("/v1")
    sdk = AsyncAzureOpenAI(azure_endpoint=endpoint, api_version="2025-04-01-preview", api_key="k")
    async with sdk:
        done = await sdk.embeddings.create(model="text-embedding-3-large", input=TEXTS)
    assert simulator.received[0].path.startswith(
        "/compatible/azure/openai/deployments/text-embedding-3-large/embeddings?"
    )
    assert len(done.data[2].embedding) == 3072
    path = "/compatible/azure/openai/deployments/none/embeddings?api-version=1"
    assert (await ask(simulator, asking(), path=path)).error["code"] == "DeploymentNotFound"
