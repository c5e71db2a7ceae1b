"""`tokenwire`, except that its worker processes end before they serve: with a reason where TOKENWIRE_TARGET,
which no server reads, is `told`, else without."""

import os
import sys
from unittest.mock import patch

from tokenwire_server import worker_process
from tokenwire_server.__main__ import main

_TOLD = """import os; os.write(0, b'{"failed":"the sky is down; hold it up"}\\n')"""

if __name__ == "__main__":
    program = _TOLD if os.environ["TOKENWIRE_TARGET"] == "told" else "raise SystemExit(7)"
    with patch.object(worker_process, "_COMMAND", (sys.executable, "-c", program)):
        main()
