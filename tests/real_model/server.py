"""An OpenAI-compatible server of one real embedding model."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from real_model.minilm import NAME, Array, MiniLM


@asynccontextmanager
async def serving(model: MiniLM) -> AsyncIterator[str]:
    """Serves POST /v1/embeddings on a free port of this machine; gives the base URL."""

    async def embeddings(request: web.Request) -> web.Response:
        asked = await request.json()
        if asked["model"] != NAME:
            return web.json_response({"error": {"message": "no such model"}}, status=404)
        return web.json_response(await asyncio.to_thread(_answer, model, asked))

    app = web.Application()
    app.router.add_post("/v1/embeddings", embeddings)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


def _answer(model: MiniLM, asked: dict[str, Any]) -> dict[str, Any]:
    given = asked["input"]
    tokens = model.tokens([given] if isinstance(given, str) else given)
    packed = asked.get("encoding_format") == "base64"
    rows = [
        {"object": "embedding", "index": index, "embedding": _embedding(vector, packed=packed)}
        for index, vector in enumerate(model.embed(tokens))
    ]
    count = sum(sum(text.attention_mask) for text in tokens)
    usage = {"prompt_tokens": count, "total_tokens": count}
    return {"object": "list", "data": rows, "model": NAME, "usage": usage}


def _embedding(vector: Array, *, packed: bool) -> str | list[float]:
    return b64encode(vector.astype("<f4").tobytes()).decode() if packed else vector.tolist()
