"""Which of the parameters that a caller sent the model cannot take: refused by name, or left out by name.

Two sources: what the wire format has no place for (`Codec.lacks`), and what the catalog knows of the model.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from tokenwire.v1 import chat_pb2 as pb
from tokenwire_server.catalog import Row
from tokenwire_server.unsupported import Unsupported

_SAMPLING: Final = frozenset(
    {"config.temperature", "config.top_p", "config.frequency_penalty", "config.presence_penalty"}
)
"""What a model that reasons has fixed: OpenAI's guide names these four."""
_PLAIN: Final = frozenset(
    {
        "store",
        "parallel_tool_calls",
        "previous_response_id",
        "end_user_id",
        "prompt_cache_key",
        "service_tier",
    }
)
"""Parameters beside these groups."""


def omissions(
    request: pb.ChatRequest, lacks: Mapping[str, str], row: Row | None, unsupported: Unsupported
) -> frozenset[str]:
    """Paths of what is to be left out of the provider's request; raises UNSUPPORTED_PARAMETER."""
    if row is None and not lacks:
        return frozenset()
    return frozenset(_left_out(request, lacks, row, unsupported))


def _left_out(
    request: pb.ChatRequest, lacks: Mapping[str, str], row: Row | None, unsupported: Unsupported
) -> Iterator[str]:
    for path in _given(request):
        if text := lacks.get(path) or (row and _refusal(request, path, row)):
            unsupported.parameter(path, text)
            yield path


def _refusal(request: pb.ChatRequest, path: str, row: Row) -> str:
    """Why the model does not take the parameter; empty when it does, or nobody knows."""
    effort = request.reasoning.effort
    if path == "reasoning.effort" and not row.takes_effort(effort):
        return "The model does not have this effort."
    if path == "reasoning.summary" and row.efforts == ():
        return "The model does not reason."
    if path in _SAMPLING and not row.takes_sampling(effort):
        # 1 is what these models do in any case, and they take it.
        if path == "config.temperature" and request.config.temperature == 1:
            return ""
        return "The model does not take it while it reasons."
    return ""


def _given(request: pb.ChatRequest) -> Iterator[str]:
    """Paths of the parameters that the caller sent, zeros included."""
    for field, value in request.ListFields():
        match field.name:
            case "config":
                yield from _given_config(value)
            case "reasoning":
                if value.effort:
                    yield "reasoning.effort"
                if value.summary not in ("", "none"):
                    yield "reasoning.summary"
            case "store" if not value:
                pass  # who says no is content with a provider that cannot
            case name if name in _PLAIN:
                yield name


def _given_config(config: pb.GenerationConfig) -> Iterator[str]:
    for field, value in config.ListFields():
        if field.name != "candidate_count" or value > 1:  # one answer is what everybody gives
            yield f"config.{field.name}"
