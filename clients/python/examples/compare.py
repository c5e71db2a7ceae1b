"""One question to two providers at once, the answers one under the other."""

import asyncio

from tokenwire import AsyncClient, TokenwireError

QUESTION = "Qu'est-ce que l'intelligence artificielle ?"
MODELS = ("openai/gpt-4o-mini", "mistral/mistral-small-latest")


async def main() -> None:
    async with AsyncClient() as client:
        asked = (client.chat(QUESTION, model=model, temperature=0.3) for model in MODELS)
        answers = await asyncio.gather(*asked, return_exceptions=True)
    for model, answer in zip(MODELS, answers, strict=True):
        if isinstance(answer, TokenwireError):
            print(f"{model} failed: {answer.reason}\n")
        elif not isinstance(answer, BaseException):
            print(f"{model}, {answer.usage.total_tokens} tokens:\n{answer.text}\n")


asyncio.run(main())
