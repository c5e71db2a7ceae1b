"""Writes the Python stubs of every .proto beside this file below the folder given as argument.

Run by `make proto` in the environment of requirements/proto.lock: the oldest supported generator, so
that the stubs import under every supported protobuf and grpcio.
"""

import sys
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent
WELL_KNOWN = Path(protoc.__file__).parent / "_proto"


def run(*args: str) -> None:
    """Runs protoc; ends the program with its status when it fails."""
    if status := protoc.main(["protoc", f"-I{ROOT}", f"-I{WELL_KNOWN}", *args]):
        sys.exit(status)


def main() -> None:
    """Messages of all files, service stubs of those that declare one."""
    out = Path(sys.argv[1])
    files = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.proto"))
    services = [name for name in files if "\nservice " in (ROOT / name).read_text()]
    run(f"--python_out={out}", f"--mypy_out={out}", *files)
    run(f"--grpc_python_out={out}", f"--mypy_grpc_out={out}", *services)
    for folder in {(out / name).parent for name in files}:
        (folder / "__init__.py").touch()


main()
