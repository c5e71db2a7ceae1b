"""An answer from whoever can give one, and what to do when nobody can."""

import time

from tokenwire import Client
from tokenwire.errors import ProviderUnavailable, RateLimited


def ask(client: Client, question: str) -> None:
    answer = client.chat(
        question, model="openai/gpt-4o-mini", fallback_models=["mistral/mistral-small-latest"]
    )
    for attempt in answer.attempts:
        print(f"{attempt.provider}/{attempt.model}: {attempt.upstream_status}")
    print(answer.text)


with Client(timeout=30) as client:
    for _ in range(3):
        try:
            ask(client, "Explique la photosynthèse")
            break
        except RateLimited as error:
            time.sleep(error.retry_after or 1)
        except ProviderUnavailable as error:
            print(f"nobody answered: {error.details.attempted}")
            break
