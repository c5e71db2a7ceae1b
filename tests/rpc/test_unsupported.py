"""Who decides what happens to a parameter that cannot be honoured: the request, the provider, the server."""

import pytest
from conftest import Opener
from support.ask import ask
from support.status import failure

from tokenwire.v1 import common_pb2

REJECT = common_pb2.UNSUPPORTED_PARAMETERS_REJECT
DROP = common_pb2.UNSUPPORTED_PARAMETERS_DROP
UNSAID = common_pb2.UNSUPPORTED_PARAMETERS_UNSPECIFIED

DECISIONS = {
    "nobody": (None, None, UNSAID, False),
    "the server": ("drop", None, UNSAID, True),
    "the provider before the server": ("reject", "drop", UNSAID, True),
    "the provider before the server, the other way": ("drop", "reject", UNSAID, False),
    "the request before both": ("reject", "reject", DROP, True),
    "the request before both, the other way": ("drop", "drop", REJECT, False),
}


@pytest.mark.parametrize("name", DECISIONS)
async def test_the_nearest_decides(open_gateway: Opener, name: str) -> None:
    server, provider, request_says, dropped = DECISIONS[name]
    request = ask(config={"top_k": 3}, unsupported_parameters=request_says)
    tables = {
        "defaults": {"unsupported_parameters": server} if server else {},
        "provider": {"unsupported_parameters": provider} if provider else {},
    }
    async with open_gateway(**tables) as gateway:
        if dropped:
            (warning,) = (await gateway.stub.Chat(request)).warnings
            assert warning.field == "config.top_k"
            assert b"top_k" not in gateway.simulator.received[-1].raw
        else:
            refused = await failure(gateway.stub.Chat(request))
            assert (refused.reason, refused.fields) == ("UNSUPPORTED_PARAMETER", ["config.top_k"])
            assert not gateway.simulator.received
