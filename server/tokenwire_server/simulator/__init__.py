"""A stand-in for the providers: their real HTTP wire formats, no model, no key, no network."""

from tokenwire_server.simulator.answer import MARKERS
from tokenwire_server.simulator.openai_api import ERRORS, MODELS, NOT_SIMULATED
from tokenwire_server.simulator.records import Received, wait_closed
from tokenwire_server.simulator.script import Script, ScriptError, parse_script
from tokenwire_server.simulator.server import Simulator, serving

__all__ = [
    "ERRORS",
    "MARKERS",
    "MODELS",
    "NOT_SIMULATED",
    "Received",
    "Script",
    "ScriptError",
    "Simulator",
    "parse_script",
    "serving",
    "wait_closed",
]
