"""POST /v1/embeddings: from a request's body to the answer."""

from array import array
from dataclasses import dataclass

from tokenwire_server.simulator import vectors
from tokenwire_server.simulator.mistral_api import checks, models
from tokenwire_server.simulator.mistral_api.checks import null_or
from tokenwire_server.simulator.mistral_api.errors import (
    ApiError,
    ValidationFailed,
    check_json,
    invalid_model,
)
from tokenwire_server.simulator.script import Script
from tokenwire_server.simulator.values import Json, as_list, as_object, as_text

_MOST_TOKENS = 16_384  # reported
_DTYPES = ("float", "int8", "uint8", "binary", "ubinary")
_PROMPT = ("invalid_request_prompt", "3210")
_ARGS = ("invalid_request_invalid_args", "3051")

_CHECK = checks.fields(
    {
        "model": checks.string(),
        "input": checks.text_or(checks.array(checks.string()), "list[str]"),
        "metadata": null_or(checks.objects),
        "output_dimension": null_or(checks.integer(1)),
        "output_dtype": checks.one_of(*_DTYPES),
        "encoding_format": checks.one_of("float", "base64"),
    },
    required=("model", "input"),
)


@dataclass(frozen=True, slots=True)
class Embeddings:
    """A checked request."""

    model: str
    texts: tuple[str, ...]
    tokens: int
    longest: int  # of the model's vectors
    size: int
    dtype: str
    base64: bool

    def whole(self, unique: str, script: Script) -> Json:
        """The answer, with as many rows and as much usage as the script leaves."""
        kept = self.texts[: max(0, len(self.texts) - script.drop_last)]
        rows = [
            {"object": "embedding", "embedding": self._embedding(text), "index": index}
            for index, text in enumerate(kept)
        ]
        body: Json = {"id": unique, "object": "list", "data": rows, "model": self.model}
        usage = {"prompt_tokens": self.tokens, "total_tokens": self.tokens, "completion_tokens": 0}
        return body if script.no_usage else {**body, "usage": usage}

    def _embedding(self, text: str) -> object:
        values = quantized(vectors.vector(text, self.model, self.longest, self.size), self.dtype)
        return vectors.in_base64(values) if self.base64 else values.tolist()


def quantized(values: "array[float]", dtype: str) -> "array[float] | array[int]":
    """The numbers in another type: in 8 bits each, or as the bits of their signs."""
    if dtype == "float":
        return values
    if dtype in {"int8", "uint8"}:
        scale = 127 / max(map(abs, values))
        scaled = [round(value * scale) for value in values]
        return array("b", scaled) if dtype == "int8" else array("B", [value + 128 for value in scaled])
    bits = "".join("1" if value > 0 else "0" for value in values)
    packed = int(bits, 2).to_bytes(len(values) // 8, "big")
    return array("B", packed) if dtype == "ubinary" else array("b", [byte - 128 for byte in packed])


def embed(raw: bytes, value: object) -> Embeddings:
    """The checked request; ApiError or ValidationFailed if the real API would refuse it."""
    check_json(raw, value)
    if wrongs := _CHECK(("body",), value):
        raise ValidationFailed(wrongs)
    body = as_object(value)
    name, given = as_text(body["model"]), body["input"]
    model = models.find(name)
    if model is None or model.vectors is None:
        raise invalid_model(name)
    texts = (given,) if isinstance(given, str) else tuple(map(as_text, as_list(given)))
    size, dtype = _shape(body, model.vectors)
    used = _tokens(texts, model.window)
    return Embeddings(
        name, texts, used, model.vectors.longest, size, dtype, body.get("encoding_format") == "base64"
    )


def _shape(body: Json, made: models.Vectors) -> tuple[int, str]:
    """How long the vectors are to be, and of which type."""
    size, dtype = body.get("output_dimension"), as_text(body.get("output_dtype")) or "float"
    if size is not None and not made.shapes:  # reported
        raise ApiError("This model does not support output_dimension.", *_ARGS)
    if dtype != "float" and not made.shapes:
        raise ApiError("This model does not support output_dtype.", *_ARGS)
    found = int(size) if isinstance(size, int | float) else made.size
    if found > made.longest:
        raise ApiError(f"output_dimension must be at most {made.longest}.", *_ARGS)
    if dtype in {"binary", "ubinary"} and found % 8:
        raise ApiError(f"output_dimension must be a multiple of 8 for {dtype}.", *_ARGS)
    return found, dtype


def _tokens(texts: tuple[str, ...], window: int) -> int:
    """How many tokens the texts have together; refuses too many. The errors are reported."""
    if not texts:
        raise ApiError("Please provide at least one input element.")
    counts = list(map(vectors.count, texts))
    for index, used in enumerate(counts):
        if used > window:
            text = f"Input id {index} has {used} tokens, exceeding max {window} tokens."
            raise ApiError(text, *_PROMPT)
    if sum(counts) > _MOST_TOKENS:
        raise ApiError("Too many tokens overall, split into more batches.", *_PROMPT)
    return sum(counts)
