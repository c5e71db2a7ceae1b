"""Tools that the suite offers, and how their calls are answered."""

import json
from collections.abc import Iterable
from typing import Any

from support.ask import WEATHER, result, tool

from tokenwire.v1 import chat_pb2 as pb

_TRANSACTION = {
    "type": "object",
    "properties": {
        "amount": {"type": "number"},
        "merchant": {"type": "string"},
        "category": {"type": "string"},
    },
    "required": ["amount", "merchant"],
}
TRANSACTION = pb.Tool(
    function=pb.FunctionTool(name="validate_transaction", parameters_json=json.dumps(_TRANSACTION))
)
TOOLS = (WEATHER, TRANSACTION)


def check_arguments(call: pb.ToolCall) -> Any:
    """The arguments, which satisfy the tool's schema."""
    arguments = json.loads(call.arguments_json)
    if call.name == "weather":
        assert [*arguments] == ["city"]
        assert isinstance(arguments["city"], str)
    else:
        assert call.name == "validate_transaction"
        assert {"amount", "merchant"} <= arguments.keys() <= {"amount", "merchant", "category"}
        assert isinstance(arguments["amount"], int | float)
        assert isinstance(arguments["merchant"], str)
    return arguments


def results(calls: Iterable[pb.ToolCall], text: str = "sunny") -> pb.ChatMessage:
    """The results of calls, in their order."""
    return tool(*(result(call.id, text) for call in calls))
