"""Which script serves a request."""

from collections import deque
from dataclasses import replace

from tokenwire_server.simulator.script import Script


class Scripts:
    """A queue of scripts over a default; the first script in the queue that matches serves a request."""

    def __init__(self) -> None:
        self.default = Script()
        self._queue: deque[Script] = deque()

    def add(self, script: Script) -> None:
        self._queue.append(script)

    def clear(self) -> None:
        """Back to the beginning: an empty queue, and the usual default."""
        self._queue.clear()
        self.default = Script()

    def take(self, path: str, model: str) -> Script:
        """The script for a request; it is used up by as many requests as it says."""
        for index, script in enumerate(self._queue):
            if _serves(script, path, model):
                self._use(index, script)
                return script
        return self.default if _serves(self.default, path, model) else Script()

    def _use(self, index: int, script: Script) -> None:
        if script.times == 1:
            del self._queue[index]
        elif script.times > 1:
            self._queue[index] = replace(script, times=script.times - 1)


def _serves(script: Script, path: str, model: str) -> bool:
    return script.match in {None, model} and (script.path is None or path.endswith(script.path))
