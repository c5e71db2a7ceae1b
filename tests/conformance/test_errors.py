"""Errors: each that the simulator knows by name has its reason, before an answer and within one."""

from collections.abc import Mapping

import pytest
from conformance.lab import Lab, new_call
from conformance.subjects import (
    AZURE,
    DEEPSEEK,
    GROQ,
    LLAMACPP,
    MISTRAL,
    ODD,
    OLLAMA,
    OPENAI,
    OPENROUTER,
    RESPONSES,
    SUBJECTS,
    VLLM,
    VLLM_RESPONSES,
    Subject,
)
from support.ask import ask

from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.errors import GatewayError
from tokenwire_server.simulator import ERRORS, MISTRAL_ERRORS, Script

pytestmark = pytest.mark.asyncio(loop_scope="module")
every_subject = pytest.mark.parametrize("subject", SUBJECTS, ids=str)

_BY_STATUS = {
    "bad_request": "INVALID_REQUEST",
    "context_length": "INVALID_REQUEST",
    "content_policy": "INVALID_REQUEST",
    "invalid_prompt": "INVALID_REQUEST",
    "invalid_api_key": "PROVIDER_CREDENTIALS_INVALID",
    "permission": "PROVIDER_PERMISSION_DENIED",
    "region": "PROVIDER_PERMISSION_DENIED",
    "model_not_found": "MODEL_NOT_FOUND",
    "timeout408": "UPSTREAM_TIMEOUT",
    "conflict409": "CONFLICT",
    "too_large413": "REQUEST_TOO_LARGE",
    "unprocessable422": "INVALID_REQUEST",
    "rate_limit": "PROVIDER_RATE_LIMITED",
    "rate_limit_tokens": "PROVIDER_RATE_LIMITED",
    "insufficient_quota": "PROVIDER_RATE_LIMITED",
    "server_error": "PROVIDER_UNAVAILABLE",
    "overloaded": "PROVIDER_OVERLOADED",
}
"""Of servers that give nothing but a status and a text."""
_BY_TYPE = _BY_STATUS | {"insufficient_quota": "INSUFFICIENT_QUOTA"}
"""Of those that have OpenAI's type, too."""
_BY_CODE = _BY_TYPE | {
    "context_length": "CONTEXT_LENGTH_EXCEEDED",
    "content_policy": "CONTENT_BLOCKED",
    "invalid_prompt": "CONTENT_BLOCKED",
}
"""Of those that have OpenAI's codes."""
_MISTRAL = {
    "bad_request": "INVALID_REQUEST",
    "context_length": "CONTEXT_LENGTH_EXCEEDED",
    "message_order": "INVALID_REQUEST",
    "model_not_found": "MODEL_NOT_FOUND",
    "invalid_api_key": "PROVIDER_CREDENTIALS_INVALID",
    "invalid_api_key_edge": "PROVIDER_CREDENTIALS_INVALID",
    "permission": "PROVIDER_PERMISSION_DENIED",
    "not_found": "MODEL_NOT_FOUND",
    "timeout408": "UPSTREAM_TIMEOUT",
    "too_large413": "REQUEST_TOO_LARGE",
    "unprocessable422": "INVALID_REQUEST",
    "unprocessable422_flat": "INVALID_REQUEST",
    "rate_limit": "PROVIDER_RATE_LIMITED",
    "rate_limit_edge": "PROVIDER_RATE_LIMITED",
    "capacity": "PROVIDER_OVERLOADED",
    "server_error": "PROVIDER_UNAVAILABLE",
    "bad_gateway": "PROVIDER_UNAVAILABLE",
    "overloaded": "PROVIDER_OVERLOADED",
    "gateway_timeout": "PROVIDER_UNAVAILABLE",
}
REASONS: Mapping[Subject, Mapping[str, str]] = {
    **dict.fromkeys((OPENAI, AZURE, GROQ, DEEPSEEK, RESPONSES), _BY_CODE),
    **dict.fromkeys((LLAMACPP, OPENROUTER), _BY_TYPE),
    **dict.fromkeys((VLLM, VLLM_RESPONSES, OLLAMA, ODD), _BY_STATUS),
    MISTRAL: _MISTRAL,
}
CASES = [
    pytest.param(subject, name, reason, id=f"{subject}-{name}")
    for subject, reasons in REASONS.items()
    for name, reason in reasons.items()
]


async def test_every_error_of_the_simulator_has_a_row() -> None:
    assert {*REASONS} == {*SUBJECTS}
    for subject, reasons in REASONS.items():
        assert {*reasons} == {*(MISTRAL_ERRORS if subject is MISTRAL else ERRORS)}


@pytest.mark.parametrize(("subject", "name", "reason"), CASES)
async def test_an_error_has_its_reason(lab: Lab, subject: Subject, name: str, reason: str) -> None:
    lab.script(error=name)
    error = await lab.refusal(subject, ask("Hello."))
    assert Reason.Name(error.reason) == reason
    assert error.upstream.status == lab.simulator.received[-1].status
    if name != "insufficient_quota":  # no wait mends it, whatever its headers say of limits
        assert error.retry_after == (1.0 if name in {"rate_limit", "rate_limit_tokens"} else None)
    assert "org-simulator" not in str(error)


async def within(lab: Lab, subject: Subject, name: str) -> tuple[list[str], GatewayError]:
    """What came of a stream before the error, and the error."""
    lab.simulator.script(Script(error_event=name, after=3))
    came = []
    with pytest.raises(GatewayError) as caught:  # noqa: PT012 (the block is what may raise)
        async with lab.backend(subject).stream(ask("Hello."), new_call(subject)) as reads:
            async for read in reads:
                came += [str(event.WhichOneof("event")) for event in read]
    return came, caught.value


WITHIN = {
    "server_error": "PROVIDER_UNAVAILABLE",
    "overloaded": "PROVIDER_OVERLOADED",
    "rate_limit": "PROVIDER_RATE_LIMITED",
}
SPEECHLESS = {
    (OLLAMA, "overloaded"): "PROVIDER_UNAVAILABLE",  # it gives a text and nothing else
    (OLLAMA, "rate_limit"): "PROVIDER_UNAVAILABLE",
    (MISTRAL, "overloaded"): "PROVIDER_UNAVAILABLE",  # only the status would tell
    **{(ODD, name): "PROVIDER_BAD_RESPONSE" for name in WITHIN},  # it does not say that it is an error
}


@pytest.mark.parametrize("name", WITHIN)
@every_subject
async def test_an_error_within_a_stream_has_its_reason(lab: Lab, subject: Subject, name: str) -> None:
    came, error = await within(lab, subject, name)
    assert Reason.Name(error.reason) == SPEECHLESS.get((subject, name), WITHIN[name])
    assert "completed" not in came
    assert came[:1] in ([], ["started"])


@every_subject
async def test_a_key_that_is_refused_is_the_operators_fault(lab: Lab, subject: Subject) -> None:
    lab.script(status=401)
    error = await lab.refusal(subject, ask("Hello."))
    assert Reason.Name(error.reason) == "PROVIDER_CREDENTIALS_INVALID"


NO_MODEL = {GROQ: 404, DEEPSEEK: 400, OPENAI: 404, RESPONSES: 404, AZURE: 404, MISTRAL: 400}


@pytest.mark.parametrize("subject", NO_MODEL, ids=str)
async def test_a_model_that_the_provider_does_not_have_is_not_found(lab: Lab, subject: Subject) -> None:
    error = await lab.refusal(subject, ask("Hello."), model="no-such-model")
    assert Reason.Name(error.reason) == "MODEL_NOT_FOUND"
    assert error.upstream.status == NO_MODEL[subject]


@every_subject
async def test_a_stream_that_ends_early_is_no_success(lab: Lab, subject: Subject) -> None:
    lab.simulator.script(Script(no_finish=True))
    with pytest.raises(GatewayError) as caught:  # noqa: PT012 (the block is what may raise)
        async with lab.backend(subject).stream(ask("Hello."), new_call(subject)) as reads:
            async for read in reads:
                assert not any(event.HasField("completed") for event in read)
    assert Reason.Name(caught.value.reason) == "STREAM_TRUNCATED"


@pytest.mark.parametrize("form", ['{"object":"error",%s}', '{"error":{%s}}'], ids=["flat", "nested"])
async def test_an_error_may_come_with_status_200(lab: Lab, form: str) -> None:
    text = form % '"message":"m","type":"TooManyRequests","code":429'
    lab.simulator.script(Script(raw=text, content_type="application/json"))
    with pytest.raises(GatewayError) as caught:
        await lab.backend(VLLM).chat(ask("Hello."), new_call(VLLM))
    assert Reason.Name(caught.value.reason) == "PROVIDER_RATE_LIMITED"
