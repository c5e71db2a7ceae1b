"""Requests for embeddings, and what their answers hold."""

import base64
import math
import struct
from collections.abc import Sequence

from simulator.wire import KEY, Answer, Body, request

from tokenwire_server.simulator import Simulator

PATH = "/v1/embeddings"
MISTRAL_PATH = "/mistral/v1/embeddings"


def asking(given: object = "Hello, world!", **parameters: object) -> Body:
    return {"model": "text-embedding-3-small", "input": given, **parameters}


def asking_mistral(given: object = "Hello, world!", **parameters: object) -> Body:
    return {"model": "mistral-embed", "input": given, **parameters}


async def ask(simulator: Simulator, body: object, *, path: str = PATH, script: object = None) -> Answer:
    return await request(simulator, body, path=path, headers=KEY, script=script)


def rows(answer: Answer) -> list[Body]:
    assert answer.status == 200, answer.body
    found = answer.json["data"]
    assert isinstance(found, list)
    return found


def numbers(row: Body) -> list[float]:
    found = row["embedding"]
    assert isinstance(found, list)
    return found


def unpacked(row: Body, form: str = "f") -> list[float]:
    """The numbers of a row in base64."""
    text = row["embedding"]
    assert isinstance(text, str)
    raw = base64.b64decode(text, validate=True)
    return list(struct.unpack(f"<{len(raw) // struct.calcsize(form)}{form}", raw))


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))
