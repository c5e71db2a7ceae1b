"""A real model behind the gateway: its vectors find what is meant."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from docs.pages import blocks
from real_model.minilm import FOLDER, NAME, MiniLM
from real_model.server import serving
from support.example import printed
from support.gateway import Gateway, gateway_for, settings_for

from tokenwire.v1 import common_pb2
from tokenwire.v1 import embed_pb2 as pb
from tokenwire_server.simulator import Simulator

pytestmark = pytest.mark.skipif(
    not FOLDER.exists(), reason="all-MiniLM-L6-v2 is not on this machine (`make tools` installs it)"
)

(SEARCH,) = [
    block.text for block in blocks() if block.page == "docs/embeddings.md" and block.info == "python"
]
DOCUMENTED = "openai/text-embedding-3-small"
SENTENCES = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
PUBLISHED = [[1, 0.6660, 0.1046], [0.6660, 1, 0.1411], [0.1046, 0.1411, 1]]
"""Their similarities, as the documentation of Sentence Transformers gives them."""


@pytest.fixture(scope="module")
def model() -> MiniLM:
    return MiniLM.load()


@pytest.fixture
async def real(simulator: Simulator, model: MiniLM) -> AsyncIterator[Gateway]:
    """A gateway whose only provider is the model's server."""
    async with serving(model) as url:
        settings = settings_for(url, provider={"kind": "openai_compatible"})
        async with gateway_for(simulator, settings) as gateway:
            yield gateway


def test_the_model_is_the_published_one(model: MiniLM) -> None:
    vectors = model.embed(model.tokens(SENTENCES))
    assert np.abs(vectors @ vectors.T - PUBLISHED).max() < 1e-4


def test_a_vector_does_not_depend_on_what_else_is_embedded(model: MiniLM) -> None:
    texts = ["a", *SENTENCES, "far " * 300]
    together = model.embed(model.tokens(texts))
    alone = np.concatenate([model.embed(model.tokens([text])) for text in texts])
    assert together.shape == (len(texts), 384)
    assert np.abs(together - alone).max() < 1e-5
    assert np.abs(np.linalg.norm(together, axis=1) - 1).max() < 1e-5


@pytest.mark.parametrize(
    ("text", "paraphrase", "other"),
    [
        ("A man is playing a guitar.", "Someone plays music on an instrument.", "A man is eating a pizza."),
        ("The bank raised its rates.", "Borrowing has become more expensive.", "They sat on the river bank."),
        ("The kids are asleep.", "The children have gone to bed.", "The kids are very loud."),
    ],
)
async def test_what_means_the_same_is_nearer_than_what_looks_alike(
    real: Gateway, text: str, paraphrase: str, other: str
) -> None:
    request = pb.EmbedRequest(model=f"openai/{NAME}", input=[text, paraphrase, other])
    text_, paraphrase_, other_ = (
        np.array(found.values) for found in (await real.stub.Embed(request)).embeddings
    )
    assert text_ @ paraphrase_ > text_ @ other_


@pytest.mark.parametrize("encoding", [pb.VECTOR_ENCODING_FLOATS, pb.VECTOR_ENCODING_PACKED])
async def test_the_gateway_gives_the_models_own_vectors(
    real: Gateway, model: MiniLM, encoding: "pb.VectorEncoding.ValueType"
) -> None:
    request = pb.EmbedRequest(model=f"openai/{NAME}", input=SENTENCES, encoding=encoding)
    reply = await real.stub.Embed(request)
    tokens = model.tokens(SENTENCES)
    wanted = model.embed(tokens)
    for found, vector in zip(reply.embeddings, wanted, strict=True):
        assert (found.packed or np.array(found.values, "<f4").tobytes()) == vector.tobytes()
    assert reply.usage.input_tokens == sum(len(text.ids) - text.ids.count(0) for text in tokens)
    assert reply.usage.source == common_pb2.TOKEN_SOURCE_PROVIDER


async def test_the_documented_search_finds_the_right_sentence(real: Gateway, tmp_path: Path) -> None:
    assert DOCUMENTED in SEARCH
    code = SEARCH.replace(DOCUMENTED, f"openai/{NAME}")
    assert await printed(code, real.address, tmp_path) == "How to reset a password\n"
