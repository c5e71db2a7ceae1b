"""The gateways that Tokenwire is compared with, as data: how each is started, configured and called."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from bench.payload import BURST, CHAT, EMBED, PACED
from bench.processes import ROOT, BenchError

TOKENWIRE: Final = "tokenwire"
LITELLM: Final = "litellm"
PORTKEY: Final = "portkey"
BIFROST: Final = "bifrost"
"""Names."""
_VERSION: Final = re.compile(r'^\s*"?version"?: "?([^",\s]+)', re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Peer:
    """One gateway. Its texts may name {port}, {config} and {upstream}, the stand-in's base URL."""

    name: str
    title: str
    metadata: str
    """Where its installed package says its version; a pattern below the project's folder."""
    runtime: tuple[str, ...]
    """Prints the version of what runs it."""
    command: tuple[str, ...]
    ready: str
    """A path that answers 200 as soon as it serves."""
    settings: str
    """What of them makes it fast, for readers."""
    config: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """Those that a caller has to send besides the key."""

    def version(self) -> str:
        """Of the installed package; raises BenchError when there is none."""
        for file in ROOT.glob(self.metadata):
            if found := _VERSION.search(file.read_text()):
                return found[1]
        raise BenchError(f"{self.title} is not installed: `make bench-peers` does that")


def _litellm_config() -> str:
    models = (
        f"""\
  - model_name: {model}
    litellm_params:
      model: openai/{model}
      api_base: "{{upstream}}"
      api_key: sk-bench
"""
        for model in (CHAT, BURST, PACED, EMBED)
    )
    return f"model_list:\n{''.join(models)}"


PEERS: Final = (
    Peer(
        name=LITELLM,
        title="LiteLLM",
        metadata=".tools/litellm/lib/python*/site-packages/litellm-[0-9]*.dist-info/METADATA",
        runtime=(".tools/litellm/bin/python", "--version"),
        command=(
            *(".tools/litellm/bin/litellm", "--config", "{config}", "--host", "127.0.0.1"),
            *("--port", "{port}", "--num_workers", "1"),
        ),
        ready="/health/liveliness",
        settings="one uvicorn worker with uvloop and httptools, the aiohttp transport, LITELLM_LOG=ERROR, "
        "LITELLM_MODE=PRODUCTION, no database, no callbacks, no check of keys",
        config=_litellm_config(),
        env={
            "LITELLM_LOG": "ERROR",
            "LITELLM_MODE": "PRODUCTION",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it fetches one from GitHub
            "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
        },
    ),
    Peer(
        name=PORTKEY,
        title="Portkey",
        metadata=".tools/portkey/node_modules/@portkey-ai/gateway/package.json",
        runtime=("node", "--print", "'Node.js ' + process.versions.node"),
        command=(
            *("node", ".tools/portkey/node_modules/@portkey-ai/gateway/build/start-server.js"),
            *("--port={port}", "--headless"),
        ),
        ready="/",
        settings="one process, NODE_ENV=production, --headless (no log console), provider and upstream named "
        "by each call's headers",
        env={"NODE_ENV": "production"},
        headers={"x-portkey-provider": "openai", "x-portkey-custom-host": "{upstream}"},
    ),
)

NOT_INSTALLABLE: Final = {
    "Bifrost": "its npm package downloads a program from elsewhere and the Go module proxy refuses it",
    "agentgateway": "neither crates.io nor the Go module proxy has it",
}
"""Why those that are not measured are not; `--peer` measures one that somebody has installed."""

AT_LEAST: Final = {
    ("chat", LITELLM): 15.0,
    ("chat", PORTKEY): 3.0,
    ("burst", BIFROST): 1.0,
    ("paced", LITELLM): 5.0,
    ("paced", PORTKEY): 1.0,
    ("embed", BIFROST): 1.0,
}
"""Budgets: how many times Tokenwire's CPU a gateway should need for a work."""
