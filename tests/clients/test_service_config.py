"""`clients/service-config.json`: what the server leaves to the caller is tried again, and nothing else."""

import json
from pathlib import Path

import pytest
from clients.recipes import ROOT, languages, tour
from grpc import StatusCode
from grpc_health.v1 import health_pb2
from python_client.standin import SERVICE, Failure, Standin, serving
from support.gateway import Gateway

from tokenwire.channel import endpoint
from tokenwire_server.simulator import Script

CONFIG = ROOT / "clients" / "service-config.json"
LANGUAGES = languages("python", "go", "java")
"""Those whose gRPC reads such a file."""


def _environ(address: str) -> dict[str, str]:
    return {"TOKENWIRE_TARGET": address, "TOKENWIRE_SERVICE_CONFIG": str(CONFIG)}


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_replica_that_stops_is_not_noticed(language: str) -> None:
    standin = Standin(failures=[Failure(StatusCode.UNAVAILABLE), Failure(StatusCode.UNAVAILABLE)])
    async with serving(standin) as address:
        _, lines = await tour(language, _environ(address))
    assert lines[0] == "chat: standin"
    assert len(standin.calls) > 3, "two that failed, and those that did not"


@pytest.mark.parametrize(
    "refusal",
    [Failure(StatusCode.UNAVAILABLE, pushback=-1), Failure(StatusCode.RESOURCE_EXHAUSTED)],
    ids=["told not to", "not a replica's fault"],
)
@pytest.mark.parametrize("language", LANGUAGES)
async def test_what_the_server_does_not_want_again_is_called_once(language: str, refusal: Failure) -> None:
    standin = Standin(failures=[refusal])
    async with serving(standin) as address:
        status, lines = await tour(language, _environ(address))
    assert (status, len(standin.calls)) == (1, 1)
    assert lines[0].startswith("failed: ")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_one_layer_retries(language: str, gateway: Gateway) -> None:
    """The gateway has used its attempts, and says so."""
    gateway.simulator.set_default(Script(error="server_error"))
    status, lines = await tour(language, _environ(gateway.address))
    assert (status, lines) == (1, ["failed: PROVIDER_UNAVAILABLE"])
    await gateway.caught_up()
    assert gateway.outcomes() == {("Chat", "UNAVAILABLE", "PROVIDER_UNAVAILABLE"): 1}


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_replica_that_calls_itself_unwell_is_left_alone(language: str) -> None:
    standin = Standin()
    async with serving(standin) as address:
        await standin.health.set(SERVICE, health_pb2.HealthCheckResponse.NOT_SERVING)
        status, lines = await tour(language, _environ(address))
    assert (status, standin.calls) == (1, [])
    assert lines[0].startswith("failed: ")


def test_it_names_the_service_and_no_other() -> None:
    config = json.loads(Path(CONFIG).read_text())
    assert config["healthCheckConfig"]["serviceName"] == SERVICE
    assert [method["name"] for method in config["methodConfig"]] == [[{"service": SERVICE}]]


def test_the_python_client_retries_alike() -> None:
    options = dict(endpoint("127.0.0.1:1", "", None, None).options)
    own, shipped = json.loads(options["grpc.service_config"]), json.loads(Path(CONFIG).read_text())
    assert own["retryThrottling"] == shipped["retryThrottling"]
    assert own["loadBalancingConfig"] == shipped["loadBalancingConfig"]
    assert own["methodConfig"][0]["retryPolicy"] == shipped["methodConfig"][0]["retryPolicy"]
