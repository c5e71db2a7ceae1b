"""How servers that call themselves compatible with OpenAI differ from it, as data.

A habit marked "recorded" was seen in recorded traffic of that server, "reported" in its users' public issue
threads; the rest is from the server's documents or source.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tokenwire_server.simulator.answer import Finish
from tokenwire_server.simulator.values import Json

Usage = Literal["asked", "finish", "choice", "x_groq", "never"]
Form = Literal["openai", "flat", "text", "detail", "coded"]


@dataclass(frozen=True, slots=True)
class Embedder:
    """How a server makes vectors. The defaults are OpenAI's own, but no input is too long."""

    size: int
    base64: bool = True  # honours encoding_format; else floats whatever is asked for
    dimensions: Literal["honoured", "refused", "ignored"] = "honoured"
    ids: bool = True  # takes the ids of tokens
    id: str | None = None  # what the id of an answer begins with
    usage: Json | None = field(default_factory=dict)  # beside the usual counts; None: no usage
    backwards: bool = False  # the last input's row comes first


@dataclass(frozen=True, slots=True)
class Habits:
    """One server's habits. The defaults are OpenAI's own."""

    # Who may call
    no_key: str | None = None  # what it says without a key; None: it asks for none
    # Requests
    models: tuple[str, ...] = ()  # that it has
    any_model: bool = True  # takes names of others too
    no_model: tuple[int, str] = (404, "The model `{model}` does not exist.")
    known: frozenset[str] | None = None  # refuses other parameters; None: ignores them
    settled_calls: bool = False  # wants the outputs of a response's calls right after the calls
    # Answers
    id: str = "chatcmpl-"  # what the id of a completion begins with
    created_by: str = "system"
    reasoning: Literal["reasoning_content", "reasoning"] = "reasoning_content"
    details: bool = False  # gives the reasoning a second time, as reasoning_details
    nulls: bool = False  # each delta names both content and reasoning, null where there is none
    role_everywhere: bool = False  # each delta has the role and a content
    call_id: str | None = "call_"  # what it begins with; "" is an empty id, None is none
    call_index: bool = True
    whole_arguments: bool = False
    empty_calls: bool = False  # "tool_calls": [] in messages without any
    finish: Mapping[Finish, str] = field(default_factory=dict)  # its own names of finish reasons
    native_finish: bool = False  # the upstream's finish reason beside its own
    unfinished: str | None = None  # the finish reason of chunks before the last
    usage: Usage = "asked"
    top: Json = field(default_factory=dict)  # fields of each completion and chunk
    card: Json = field(default_factory=dict)  # more fields of each model that it lists
    embedder: Embedder | None = None  # None: it has no such endpoint
    responses: str | None = "resp_"  # what the id of a response begins with; None: it has no such endpoint
    # Framing
    comments: str | None = None
    line_end: bytes = b"\n"
    done: bool = True
    bare_events: bool = False  # in a response's stream: no event lines, but a [DONE]
    # Errors
    form: Form = "openai"
    error_event: str | None = None  # the event line of an error in a stream
    done_after_error: bool = False
    request_id: str | None = None  # the header


_GROQ_PARAMETERS = frozenset(
    (
        *("messages", "model", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs"),
        *("max_completion_tokens", "max_tokens", "metadata", "n", "parallel_tool_calls", "presence_penalty"),
        *("reasoning_effort", "reasoning_format", "include_reasoning", "response_format", "seed"),
        *("search_settings", "service_tier", "stop", "store", "stream", "stream_options", "temperature"),
        *("tool_choice", "tools", "top_logprobs", "top_p", "user", "documents", "citation_options"),
        *("compound_custom", "disable_tool_validation", "exclude_domains", "include_domains"),
    )
)

HABITS: Mapping[str, Habits] = {
    "vllm": Habits(
        models=("simulated-model",),
        created_by="vllm",
        card={"root": "/models/simulated", "parent": None, "max_model_len": 131_072, "permission": []},
        reasoning="reasoning_content",  # recorded behind Hugging Face; newer versions say "reasoning"
        call_id="chatcmpl-tool-",
        empty_calls=True,  # recorded behind Hugging Face
        usage="asked",
        top={"system_fingerprint": None, "service_tier": None},  # recorded behind Hugging Face
        embedder=Embedder(
            1_024,
            dimensions="refused",  # reported, of models that it does not know to bear it
            id="embd-",
            usage={"completion_tokens": 0, "prompt_tokens_details": None},
        ),
        form="flat",
        done_after_error=True,
    ),
    "ollama": Habits(
        models=("llama3.2:latest",),
        created_by="library",
        reasoning="reasoning",
        role_everywhere=True,  # reported
        call_index=False,  # reported, for the versions of 2024
        whole_arguments=True,  # reported
        top={"system_fingerprint": "fp_ollama"},  # reported
        embedder=Embedder(768, base64=False, ids=False),
        form="text",
    ),
    "llamacpp": Habits(
        models=("model.gguf",),
        created_by="llamacpp",
        reasoning="reasoning_content",
        call_id="",  # of the chat templates for which it makes no ids
        usage="asked",
        top={"system_fingerprint": "b6000-simulated"},
        embedder=Embedder(768, base64=False, dimensions="ignored"),
        form="coded",
    ),
    "groq": Habits(
        no_key="Invalid API Key",
        models=(
            "openai/gpt-oss-120b",
            "openai/gpt-oss-20b",
            "qwen/qwen3-32b",
            "llama-3.3-70b-versatile",
            "deepseek-r1-distill-llama-70b",
            "compound-beta",
            "meta-llama/llama-4-maverick-17b-128e-instruct",
            "meta-llama/llama-4-scout-17b-16e-instruct",
        ),
        any_model=False,
        no_model=(404, "The model `{model}` does not exist or you do not have access to it."),  # recorded
        known=_GROQ_PARAMETERS,  # that it refuses others is reported
        created_by="Groq",
        card={
            "active": True,
            "context_window": 131_072,
            "public_apps": None,
            "max_completion_tokens": 32_768,
        },
        reasoning="reasoning",  # recorded
        call_id="fc_",  # recorded
        whole_arguments=True,  # recorded
        usage="x_groq",  # recorded; newer answers give it at the top as well
        top={"system_fingerprint": "fp_simulated"},
        error_event="error",  # recorded
        request_id="x-request-id",
    ),
    "deepseek": Habits(
        no_key="Authentication Fails (no such user)",
        models=("deepseek-chat", "deepseek-reasoner", "deepseek-v4-flash"),
        any_model=False,
        no_model=(400, "Model Not Exist"),
        settled_calls=True,  # recorded
        id="",  # recorded
        created_by="deepseek",
        reasoning="reasoning_content",  # recorded
        nulls=True,  # recorded
        call_id="call_00_",  # recorded
        usage="finish",  # recorded
        top={"system_fingerprint": "fp_simulated_prod0820_fp8_kvcache"},  # recorded
        request_id="x-ds-trace-id",
    ),
    "openrouter": Habits(
        no_key="No auth credentials found",
        models=("openai/gpt-4o-mini", "anthropic/claude-sonnet-4.5", "deepseek/deepseek-r1"),
        id="gen-",  # recorded
        card={
            "name": "Simulated: Model",
            "description": "A simulated model.",
            "context_length": 128_000,
            "expiration_date": None,
        },
        reasoning="reasoning",  # recorded
        details=True,  # recorded
        role_everywhere=True,  # recorded
        call_id="toolu_",  # recorded: the upstream's
        native_finish=True,  # recorded
        usage="choice",  # recorded
        top={"provider": "Simulated"},  # recorded
        embedder=Embedder(1_536, id="gen-emb-"),
        responses="gen-",  # recorded
        bare_events=True,  # recorded
        comments="OPENROUTER PROCESSING",  # recorded
        form="coded",  # recorded in a stream
        done_after_error=True,  # recorded
    ),
    # No server of this name: habits that were met at servers without a name of their own.
    "odd": Habits(
        models=("odd-model",),
        reasoning="reasoning",
        call_id=None,
        call_index=False,
        whole_arguments=True,
        finish={"stop": "eos"},
        unfinished="",
        usage="never",
        embedder=Embedder(384, base64=False, dimensions="ignored", usage=None, backwards=True),
        responses=None,
        line_end=b"\r\n",
        done=False,
        form="detail",
    ),
}
"""Azure is apart: it serves OpenAI's own models with OpenAI's own rules."""
