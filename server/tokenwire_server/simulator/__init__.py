"""A stand-in for the providers: their real HTTP wire formats, no model, no key, no network."""

from tokenwire_server.simulator import compatible, mistral_api, openai_api
from tokenwire_server.simulator.answer import MARKERS
from tokenwire_server.simulator.compatible import COMPATIBLE
from tokenwire_server.simulator.mistral_api import ERRORS as MISTRAL_ERRORS
from tokenwire_server.simulator.mistral_api import MODELS as MISTRAL_MODELS
from tokenwire_server.simulator.openai_api import ERRORS, MODELS
from tokenwire_server.simulator.records import Received, wait_closed
from tokenwire_server.simulator.script import Script, ScriptError, parse_script
from tokenwire_server.simulator.server import Simulator, serving

NOT_SIMULATED = {
    **openai_api.NOT_SIMULATED,
    **mistral_api.NOT_SIMULATED,
    **compatible.NOT_SIMULATED,
}
"""What a real API accepts and the simulator refuses, by name."""

__all__ = [
    "COMPATIBLE",
    "ERRORS",
    "MARKERS",
    "MISTRAL_ERRORS",
    "MISTRAL_MODELS",
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
