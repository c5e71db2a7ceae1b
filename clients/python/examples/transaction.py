"""A model checks a payment with a function of ours."""

import asyncio

from tokenwire import AsyncClient, Conversation, ToolRegistry

registry = ToolRegistry(timeout=5)


@registry.tool
def validate_transaction(amount: float, merchant: str, category: str = "other") -> dict[str, object]:
    """Checks whether a payment may be made.

    Args:
        amount: In US dollars.
        merchant: Who is paid.
        category: What for.
    """
    allowed = 0 < amount <= 500
    return {"merchant": merchant, "category": category, "allowed": allowed}


async def main() -> None:
    conversation = Conversation(system="Check each payment before you confirm it.")
    conversation.add_user("Process a $100 purchase from Amazon")
    async with AsyncClient() as client:
        answer = await registry.run(client, conversation, tool_choice="validate_transaction")
        for message in conversation:
            for part in message.parts:
                print(part.tool_call.arguments_json or part.tool_result.text)
        print(answer.text)


asyncio.run(main())
