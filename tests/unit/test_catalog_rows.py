"""What catalog.toml says of models: what providers do, each with a source."""

import pytest

from tokenwire_server.catalog import Row, load, shipped

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
CATALOG = load()


def found(kind: str, model: str) -> Row:
    row = CATALOG.find(kind, model)
    assert row is not None
    return row


OLD = "low medium high"
GPT5 = "minimal low medium high"
GPT52 = "none minimal low medium high xhigh"
GPT54 = "none low medium high xhigh"
GPT56 = "none low medium high xhigh max"
GPT61 = "low medium high xhigh max"

# Model: efforts taken, endpoint, and the efforts beside which temperature is taken ("unset" among them).
MATRIX = {
    "gpt-3.5-turbo": ("", "chat", "always"),
    "gpt-3.5-turbo-16k": ("", "chat", "always"),
    "gpt-4": ("", "chat", "always"),
    "gpt-4-turbo": ("", "chat", "always"),
    "gpt-4o": ("", "chat", "always"),
    "gpt-4o-mini-2024-07-18": ("", "chat", "always"),
    "gpt-4.1-nano": ("", "chat", "always"),
    "gpt-4o-audio-preview": ("?", "chat", "always"),
    "gpt-4o-search-preview": ("?", "chat", ""),
    "gpt-4o-mini-search-preview": ("?", "chat", ""),
    "o1": (OLD, "chat", ""),
    "o1-2024-12-17": (OLD, "chat", ""),
    "o1-pro": (OLD, "responses", ""),
    "o3": (OLD, "chat", ""),
    "o3-mini": (OLD, "chat", ""),
    "o3-pro": (OLD, "responses", ""),
    "o3-deep-research": ("medium", "responses", ""),
    "o4-mini": (OLD, "chat", ""),
    "o4-mini-deep-research": ("medium", "responses", ""),
    "ft:o4-mini-2025-04-16:acme": ("?", "chat", "always"),
    "gpt-5": (GPT5, "responses", ""),
    "gpt-5-2025-08-07": (GPT5, "responses", ""),
    "gpt-5-mini": (GPT5, "responses", ""),
    "gpt-5-nano-2025-08-07": (GPT5, "responses", ""),
    "gpt-5-pro": ("high", "responses", ""),
    "gpt-5-codex": (OLD, "responses", ""),
    "gpt-5-chat-latest": ("", "responses", "always"),
    "gpt-5.1": ("none low medium high", "responses", "unset none"),
    "gpt-5.1-2025-11-13": ("none low medium high", "responses", "unset none"),
    "gpt-5.1-codex": (OLD, "responses", ""),
    "gpt-5.1-codex-mini": (OLD, "responses", ""),
    "gpt-5.1-codex-max": ("low medium high xhigh", "responses", ""),
    "gpt-5.1-chat-latest": ("medium", "responses", ""),
    "gpt-5.2": (GPT52, "responses", "unset none"),
    "gpt-5.2-chat-latest": ("medium", "responses", ""),
    "gpt-5.2-codex": ("low medium high xhigh", "responses", ""),
    "gpt-5.2-pro-2025-12-11": (GPT52, "responses", "none"),
    "gpt-5.3-chat-latest": ("", "responses", "always"),
    "gpt-5.3-codex": ("?", "responses", "always"),
    "gpt-5.4": (GPT54, "responses", "unset none"),
    "gpt-5.4-mini": (GPT54, "responses", "unset none"),
    "gpt-5.4-nano-2026-03-17": (GPT54, "responses", "unset none"),
    "gpt-5.4-pro": ("medium high xhigh", "responses", ""),
    "gpt-5.5-2026-04-23": (GPT54, "responses", "none"),
    "gpt-5.5-pro": ("medium high xhigh", "responses", ""),
    "gpt-5.6": (GPT56, "responses", "none"),
    "gpt-5.6-sol": (GPT56, "responses", "none"),
    "gpt-5.6-terra": (GPT56, "responses", "none"),
    "gpt-5.6-luna": (GPT56, "responses", "none"),
    "gpt-5.6-cyber": ("?", "responses", "always"),
    "gpt-6-astra": (GPT61, "responses", ""),
    "gpt-6-sol": (GPT56, "responses", "none"),
    "gpt-6-luna": (GPT56, "responses", "none"),
    "gpt-6-cyber": ("?", "responses", "always"),
    "gpt-6.1-sol": (GPT61, "responses", ""),
    "gpt-6.1-terra": (GPT56, "responses", "none"),
    "gpt-6.2-astra": ("?", "responses", ""),
    "gpt-6.2-sol": ("?", "responses", ""),
}


@pytest.mark.parametrize("model", MATRIX)
def test_a_model_takes_what_its_provider_was_seen_to_take(model: str) -> None:
    efforts, endpoint, beside = MATRIX[model]
    row = found("openai", model)
    expected = EFFORTS if efforts == "?" else tuple(efforts.split())
    assert tuple(effort for effort in EFFORTS if row.takes_effort(effort)) == expected
    assert row.endpoint == endpoint
    sampling = [effort or "unset" for effort in ("", *EFFORTS) if row.takes_sampling(effort)]
    assert sampling == (["unset", *EFFORTS] if beside == "always" else beside.split())


@pytest.mark.parametrize(
    ("model", "efforts"),
    [
        ("mistral-small-latest", ("none", "high")),
        ("mistral-small-2603", ("none", "high")),
        ("mistral-small-2506", None),
        ("mistral-medium-latest", ("none", "high")),
        ("mistral-medium-3-5", ("none", "high")),
        ("mistral-medium-2508", None),
        ("mistral-large-latest", None),
        ("mistral-large-4", ("none", "high")),
        ("magistral-medium-latest", None),
        ("ministral-8b-latest", ()),
        ("ministral-14b-2512", ()),
        ("mistral-tiny", None),
    ],
)
def test_mistral_takes_its_own_efforts_and_temperature_always(
    model: str, efforts: tuple[str, ...] | None
) -> None:
    row = found("mistral", model)
    assert (row.efforts, row.endpoint, row.tokens_field) == (efforts, "chat", "max_tokens")
    assert all(row.takes_sampling(effort) for effort in ("", *EFFORTS))


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-4o", (None, None)),
        ("o3", (None, None)),
        ("o3-pro", (32_000, None)),
        ("gpt-5-nano", (32_000, None)),
        ("gpt-5-chat-latest", (16_384, None)),
        ("gpt-5.1", (32_000, None)),
        ("gpt-5.2", (32_000, True)),
        ("gpt-5.2-chat-latest", (16_384, True)),
        ("gpt-5.6-terra", (32_000, True)),
        ("gpt-6-sol", (32_000, True)),
        ("gpt-6.9-sol", (32_000, True)),
    ],
)
def test_responses_has_a_default_limit_and_from_gpt_5_2_on_instructions(
    model: str, expected: tuple[int | None, bool | None]
) -> None:
    row = found("openai", model)
    assert (row.default_max_output_tokens, row.instructions) == expected


@pytest.mark.parametrize(
    ("kind", "model", "tokenizer"),
    [
        ("openai", "gpt-3.5-turbo-16k", "cl100k_base"),
        ("openai", "gpt-4-turbo", "cl100k_base"),
        ("openai", "gpt-4o-mini", "o200k_base"),
        ("openai", "gpt-4.1-nano", "o200k_base"),
        ("openai", "ft:gpt-3.5-turbo-0125:acme", "cl100k_base"),
        ("openai", "ft:gpt-4o-mini-2024-07-18:acme", "o200k_base"),
        ("openai", "ft:gpt-5-mini:acme", "o200k_base"),
        ("openai", "o4-mini", "o200k_base"),
        ("openai", "gpt-5.6-luna", "o200k_base"),
        ("openai", "gpt-6-sol", None),
        ("openai", "text-embedding-3-small", "cl100k_base"),
        ("openai", "text-embedding-4", None),
        ("mistral", "mistral-embed", "mistral-v1"),
        ("mistral", "mistral-medium-2312", "mistral-v1"),
        ("mistral", "mistral-small-2402", "mistral-v2"),
        ("mistral", "open-mixtral-8x22b-2404", "mistral-v3"),
        ("mistral", "open-mistral-nemo-2407", "mistral-v3-tekken"),
        ("mistral", "mistral-large-2411", "mistral-v7"),
        ("mistral", "mistral-large-2512", None),
    ],
)
def test_a_model_has_the_vocabulary_that_its_provider_publishes(
    kind: str, model: str, tokenizer: str | None
) -> None:
    assert found(kind, model).tokenizer == tokenizer


def test_the_facts_of_embedding_models_have_the_limits_of_a_request() -> None:
    for model in ("text-embedding-3-small", "text-embedding-3-large", "text-embedding-ada-002"):
        facts = CATALOG.facts("openai", model)
        assert facts is not None
        assert facts.capabilities == ("embeddings",)
        assert (facts.context_window, facts.max_batch_inputs, facts.max_batch_tokens) == (8192, 2048, 300_000)


def test_no_two_shipped_rows_are_the_same() -> None:
    rows = shipped()
    assert len({row.rule for row in rows}) == len(rows)


def test_all_that_is_shipped_has_a_source() -> None:
    parts = [(row.rule, row.source) for row in shipped() if not row.only_facts]
    parts += [(row.rule, row.facts.source) for row in shipped() if row.facts]
    assert [rule for rule, source in parts if source.strip() in ("", "settings")] == []


def test_a_replacement_is_known_itself() -> None:
    ended = [row for row in shipped() if row.facts and row.facts.replacement]
    assert len(ended) > 50
    for row in ended:
        assert row.facts
        assert row.facts.replacement
        assert CATALOG.find(row.kind, row.facts.replacement), row.match
        assert row.facts.replacement != row.match


def test_the_default_limit_is_not_above_the_models_own() -> None:
    for row in shipped():
        if row.match and row.facts and row.facts.max_output_tokens:
            default = found(row.kind, row.match).default_max_output_tokens or 0
            assert default <= row.facts.max_output_tokens, row.match


def test_prices_of_what_is_cached_and_written_fit_the_price_of_input() -> None:
    """A decimal point in the wrong place would show."""
    priced = [row for row in shipped() if row.facts and row.facts.prices]
    assert len(priced) > 80
    for row in priced:
        assert row.facts
        prices = row.facts.prices
        assert prices
        assert prices.input_usd
        assert prices.input_usd * 0.03 <= (prices.cached_input_usd or prices.input_usd) <= prices.input_usd
        assert prices.output_usd is None or prices.input_usd <= prices.output_usd <= 10 * prices.input_usd
        written = prices.cache_write_input_usd
        assert written is None or prices.input_usd < written < 2 * prices.input_usd
