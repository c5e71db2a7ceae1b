"""ReasoningTrace: how the model reasoned, put together from an answer of any provider."""

from tokenwire.v1 import chat_pb2 as pb


def trace(response: pb.ChatResponse, effort: str) -> None:
    """Fills `reasoning` of an answer that took reasoning; `effort` counts where the provider did not say."""
    thoughts = [
        part.reasoning
        for choice in response.choices
        for part in choice.message.parts
        if part.HasField("reasoning")
    ]
    if not thoughts and not response.usage.reasoning_tokens:
        response.ClearField("reasoning")
        return
    response.reasoning.effort = response.reasoning.effort or effort
    response.reasoning.items_count = len(thoughts)
    response.reasoning.summary = "\n".join(thought.summary for thought in thoughts if thought.summary)
