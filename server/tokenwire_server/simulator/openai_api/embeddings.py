"""POST /v1/embeddings: from a request's body to the answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tokenwire_server.simulator import vectors
from tokenwire_server.simulator.openai_api import checks, models
from tokenwire_server.simulator.openai_api.errors import ApiError
from tokenwire_server.simulator.script import Script
from tokenwire_server.simulator.values import Json, as_int, as_list, as_text
from tokenwire_server.simulator.vectors import Content

_MOST_INPUTS, _LONGEST, _MOST_TOKENS = 2_048, 8_192, 300_000


@dataclass(frozen=True, slots=True)
class Embeddings:
    """A checked request."""

    model: str  # as the answer names it
    contents: tuple[Content, ...]
    tokens: int
    size: int  # of the model's vectors
    kept: int | None = None  # how many places of them are asked for
    base64: bool = False

    def whole(self, script: Script) -> Json:
        """The answer, with as many rows and as much usage as the script leaves."""
        kept = self.contents[: max(0, len(self.contents) - script.drop_last)]
        rows = [
            {"object": "embedding", "index": index, "embedding": self._embedding(content)}
            for index, content in enumerate(kept)
        ]
        body: Json = {"object": "list", "data": rows, "model": self.model}
        usage = {"prompt_tokens": self.tokens, "total_tokens": self.tokens}
        return body if script.no_usage else {**body, "usage": usage}

    def _embedding(self, content: Content) -> object:
        values = vectors.vector(content, self.model, self.size, self.kept)
        return vectors.in_base64(values) if self.base64 else values.tolist()


def embed(value: object) -> Embeddings:
    """The checked request; ApiError if the real API would refuse it."""
    if not isinstance(value, dict):
        raise ApiError(checks.NOT_JSON)
    if not value.get("model"):
        raise ApiError("you must provide a model parameter")
    _check_form(value)
    contents = contents_of(value["input"])
    if not contents or not all(contents):
        raise _invalid("input")
    embedder = _embedder(as_text(value["model"]))
    if not embedder.shortens and "dimensions" in value:  # reported, for null as well
        raise ApiError("This model does not support specifying dimensions.")
    kept = as_int(value.get("dimensions"))
    _check_dimensions(kept, embedder)
    counts = [vectors.count(content) for content in contents]
    _check_lengths(counts, alone=isinstance(value["input"], str))
    name = embedder.named or as_text(value["model"])
    base64 = value.get("encoding_format") == "base64"
    return Embeddings(name, contents, sum(counts), embedder.size, kept, base64)


def contents_of(value: object) -> tuple[Content, ...] | None:
    """What an input consists of; None if it is no text, no ids of tokens, and no array of either."""
    if isinstance(value, str):
        return (value,)
    items = as_list(value)
    if items and (alone := _ids(items)):
        return (alone,)
    found = [item if isinstance(item, str) else _ids(item) for item in items]
    kinds = {type(item) for item in found}
    if not _is_list(value) or len(kinds) > 1:
        return None
    return tuple(item for item in found if item is not None) if None not in found else None


def _ids(value: object) -> tuple[int, ...] | None:
    items = as_list(value)
    found = tuple(item for item in map(as_int, items) if item is not None and item >= 0)
    return found if _is_list(value) and len(found) == len(items) else None


def _is_list(value: object) -> bool:
    return isinstance(value, list)


_FORMS: Mapping[str, Callable[[object], bool]] = {
    "model": lambda value: isinstance(value, str),
    "input": lambda value: contents_of(value) is not None,
    "dimensions": lambda value: value is None or as_int(value) is not None,
    "encoding_format": lambda value: value in (None, "float", "base64"),
    "user": lambda value: value is None or isinstance(value, str),
}


def _check_form(body: Json) -> None:
    for name, value in body.items():
        if name not in _FORMS:
            raise ApiError(f"Unrecognized request argument supplied: {name}")
        if not _FORMS[name](value):
            raise _invalid(name)
    if "input" not in body:
        raise _invalid("input")


def _invalid(name: str) -> ApiError:
    """Reported for `input`; this endpoint names neither the parameter nor a code."""
    return ApiError(
        f"'$.{name}' is invalid. Please check the API reference: "
        "https://platform.openai.com/docs/api-reference."
    )


def _embedder(model: str) -> models.Embedder:
    if not models.is_known(model):
        raise models.not_found(model)
    found = models.EMBEDDERS.get(model)
    if found is None:  # reported
        raise ApiError("You are not allowed to generate embeddings from this model", status=403)
    return found


def _check_dimensions(kept: int | None, embedder: models.Embedder) -> None:
    if kept is not None and kept > embedder.size:  # reported
        raise _out_of_range(kept, f"less than or equal to {embedder.size}")
    if kept is not None and kept < 1:
        raise _out_of_range(kept, "greater than or equal to 1")


def _out_of_range(kept: int, expected: str) -> ApiError:
    return ApiError(f"Invalid value for 'dimensions' = {kept}. Must be {expected}.")


def _check_lengths(counts: list[int], *, alone: bool) -> None:
    """Refuses too many tokens. The texts are reported."""
    if len(counts) > _MOST_INPUTS:
        raise ApiError(f"Invalid 'input': array length must be {_MOST_INPUTS} or less.")
    for index, used in enumerate(counts):
        if used > _LONGEST:
            where = "input" if alone else f"input[{index}]"
            raise ApiError(f"Invalid '{where}': maximum input length is {_LONGEST} tokens.")
    if sum(counts) > _MOST_TOKENS:
        kind = "max_tokens_per_request"
        text = f"Requested {sum(counts)} tokens, max {_MOST_TOKENS} tokens per request"
        raise ApiError(text, None, kind, type=kind)
