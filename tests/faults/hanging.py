"""`tokenwire`, except that the clean-up of a call never ends. The prompt says how: `waits` or `blocks`."""

import asyncio
import time
from unittest.mock import patch

from support.fake import FakeBackend

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server import app
from tokenwire_server.__main__ import main
from tokenwire_server.call import Call


async def _answer(request: pb.ChatRequest, _call: Call) -> pb.ChatResponse:
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if request.messages[0].text == "blocks":
                time.sleep(3600)  # noqa: ASYNC251 (this is the fault)


if __name__ == "__main__":
    with patch.object(app, "Attempts", lambda *_: FakeBackend(_answer)):
        main()
