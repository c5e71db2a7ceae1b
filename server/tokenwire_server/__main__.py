"""The `tokenwire` command, and `python -m tokenwire_server`."""

import os
from typing import Final

EXPERIMENTS: Final = "-event_engine_listener"
"""Less CPU on the server: 12 % of unary calls, 20 % of paced and 35 % of burst streams (grpcio 1.85.1;
docs/decisions/0003-grpc-experiments.md)."""


def main() -> None:
    """Runs the command line; sets first what grpc reads once, when it is imported."""
    os.environ.setdefault("GRPC_EXPERIMENTS", EXPERIMENTS)
    # gRPC's own lines, such as those of a port in use; the commands say it themselves, once.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")

    from tokenwire_server.cli import app  # noqa: PLC0415 (after the environment)

    app(prog_name="tokenwire")


if __name__ == "__main__":
    main()
