"""Models that nothing is known of, here or at the provider."""

from conftest import Opener
from support.ask import ask
from support.gateway import Gateway, gateway_for, settings_for
from support.status import failure

from tokenwire_server.simulator import Simulator


async def test_a_name_that_resolves_to_nothing_is_not_found(simulator: Simulator) -> None:
    settings = settings_for(simulator.url)
    two = {"openai": settings.providers["openai"], "other": settings.providers["openai"]}
    nobody = settings.defaults.model_copy(update={"model": ""})
    settings = settings.model_copy(update={"providers": two, "defaults": nobody})
    async with gateway_for(simulator, settings) as gateway:
        refused = await failure(gateway.stub.Chat(ask(model="some-model")))
        assert (refused.code, refused.reason) == ("NOT_FOUND", "MODEL_NOT_FOUND")
        assert refused.fields == ["model"]
        assert refused.resource is not None
        assert (refused.resource.resource_type, refused.resource.resource_name) == ("model", "some-model")
        assert simulator.received == []
        nameless = await failure(gateway.stub.Chat(ask(model="")))
        assert (nameless.reason, nameless.fields) == ("INVALID_REQUEST", ["model"])
        assert (await gateway.stub.Chat(ask(model="other/gpt-4o"))).provider == "other"


async def test_a_model_that_the_provider_does_not_have_is_not_found(gateway: Gateway) -> None:
    refused = await failure(gateway.stub.Chat(ask(model="openai/gpt-none")))
    assert (refused.code, refused.reason) == ("NOT_FOUND", "MODEL_NOT_FOUND")
    assert refused.resource is not None
    assert refused.resource.resource_name == "gpt-none"
    assert (await gateway.lines.wait())["model"] == "gpt-none"


async def test_a_slash_in_a_models_own_name_is_kept(open_gateway: Opener) -> None:
    async with open_gateway() as gateway:
        refused = await failure(gateway.stub.Chat(ask(model="openai/meta-llama/x")))
        assert refused.reason == "MODEL_NOT_FOUND"
        assert gateway.simulator.received[0].model == "meta-llama/x"
