"""A chat in the terminal that remembers: Ctrl-D ends it, Ctrl-C an answer."""

import asyncio

from tokenwire import AsyncClient, Conversation, TokenwireError


async def answer(client: AsyncClient, conversation: Conversation) -> None:
    async with client.stream(conversation) as stream:
        async for text in stream.text:
            print(text, end="", flush=True)
        conversation.append(await stream.final())
    await conversation.trim(client, max_tokens=4000)


def main() -> None:
    conversation = Conversation(system="Answer in the user's language, in a few sentences.")
    client = AsyncClient()
    with asyncio.Runner() as loop:
        while question := read("\n> "):
            conversation.add_user(question)
            try:
                loop.run(answer(client, conversation))
            except TokenwireError as error:
                print(f"{type(error).__name__}: {error}")
            except KeyboardInterrupt:
                print(" …")
        loop.run(client.close())


def read(prompt: str) -> str:
    try:
        return input(prompt).strip()
    except EOFError:
        return ""


main()
