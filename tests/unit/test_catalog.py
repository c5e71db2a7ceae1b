"""What is known of models: that the right row is found, and that it says what providers do."""

import re
from pathlib import Path

import pytest
from unit.settings_place import Place, place

from tokenwire_server import catalog
from tokenwire_server.catalog import Catalog, Row, load, shipped

__all__ = ["place"]  # a fixture

ROOT = Path(__file__).parents[2]
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
CATALOG = load()


def found(kind: str, model: str) -> Row:
    row = CATALOG.find(kind, model)
    assert row is not None
    return row


GPT5 = "minimal low medium high"
GPT52 = "none low medium high xhigh"
GPT56 = "none low medium high xhigh max"
OLD = "low medium high"

# Model: efforts taken, endpoint, and the efforts beside which temperature is taken ("unset" among them).
MATRIX = {
    "gpt-3.5-turbo": ("", "chat", "always"),
    "gpt-4": ("", "chat", "always"),
    "gpt-4-turbo": ("", "chat", "always"),
    "gpt-4o": ("", "chat", "always"),
    "gpt-4o-mini-2024-07-18": ("", "chat", "always"),
    "gpt-4.1-nano": ("", "chat", "always"),
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
    "gpt-5.2-pro-2025-12-11": ("medium high xhigh", "responses", ""),
    "gpt-5.3-chat-latest": ("", "responses", "always"),
    "gpt-5.4": (GPT52, "responses", "unset none"),
    "gpt-5.4-mini": (GPT52, "responses", "unset none"),
    "gpt-5.4-nano-2026-03-17": (GPT52, "responses", "unset none"),
    "gpt-5.4-pro": ("medium high xhigh", "responses", ""),
    "gpt-5.5-2026-04-23": (GPT52, "responses", "none"),
    "gpt-5.5-pro": ("medium high xhigh", "responses", ""),
    "gpt-5.6-sol": (GPT56, "responses", "none"),
    "gpt-5.6-terra": (GPT56, "responses", "none"),
    "gpt-5.6-luna": (GPT56, "responses", "none"),
    "gpt-6-astra": ("low medium high xhigh max", "responses", ""),
    "gpt-6-sol": ("?", "responses", "none"),
    "gpt-6-luna": ("?", "responses", "none"),
    "gpt-6.1-sol": ("?", "responses", "always"),
    "gpt-5.9": ("?", "responses", "always"),
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
        ("magistral-medium-latest", None),
        ("ministral-8b-latest", ()),
        ("mistral-tiny", None),
    ],
)
def test_mistral_takes_its_own_efforts_and_temperature_always(
    model: str, efforts: tuple[str, ...] | None
) -> None:
    row = found("mistral", model)
    assert (row.efforts, row.endpoint, row.tokens_field) == (efforts, "chat", "max_tokens")
    assert all(row.takes_sampling(effort) for effort in ("", *EFFORTS))


def test_the_longest_match_wins_and_then_the_longest_contains() -> None:
    rows = [
        Row(kind="openai", contains="b"),
        Row(kind="openai", contains="abc"),
        Row(kind="openai", match="x"),
        Row(kind="openai", match="xab"),
        Row(kind="mistral", match="xabc"),
    ]
    some = Catalog(rows)
    assert some.find("openai", "xabcd") == rows[3]
    assert some.find("openai", "xa") == rows[2]
    assert some.find("openai", "yabcd") == rows[1]
    assert some.find("openai", "yb") == rows[0]
    assert some.find("mistral", "xabcd") == rows[4]
    assert some.find("openai_compatible", "xabcd") is None


def test_a_number_is_not_cut_in_two() -> None:
    assert found("openai", "gpt-5.10").match == "gpt-5."
    assert CATALOG.find("openai", "gpt-50") == found("openai", "ft:gpt-5")  # by contains only
    assert CATALOG.find("openai", "o10") is None


@pytest.mark.parametrize("model", ["ft:gpt-5-mini:acme", "gpt-5-search-api", "gpt-5.3-codex"])
def test_every_gpt_5_uses_responses_and_what_is_not_known_is_left_open(model: str) -> None:
    row = found("openai", model)
    assert (row.endpoint, row.sampling, row.efforts) == ("responses", None, None)


@pytest.mark.parametrize(
    ("kind", "model"),
    [("openai", "davinci"), ("openai", ""), ("mistral", "gpt-4o"), ("openai_compatible", "gpt-5"),
     ("openai", "GPT-5"), ("of no kind", "gpt-5")],
)  # fmt: skip
def test_an_unknown_model_has_no_row(kind: str, model: str) -> None:
    assert CATALOG.find(kind, model) is None


def test_a_row_of_settings_takes_the_place_of_one_with_the_same_rule(place: Place) -> None:
    rows = place.load(
        '[[catalog]]\nkind = "openai"\nmatch = "gpt-5"\nendpoint = "chat"\n'
        '[[catalog]]\nkind = "openai"\nmatch = "my-"\nefforts = []\n'
    ).catalog
    mine = load(rows)
    assert mine.find("openai", "gpt-5") == rows[0]
    assert rows[0].efforts is None
    assert mine.find("openai", "gpt-5-mini") == found("openai", "gpt-5-mini")
    assert mine.find("openai", "my-model") == rows[1]
    assert len(mine.rows) == len(CATALOG.rows) + 1


def test_rows_come_from_a_variable_too(place: Place) -> None:
    text = '[{"kind": "mistral", "match": "my-", "default_effort": "none"}]'
    (row,) = place.load(environ={"TOKENWIRE_CATALOG": text}).catalog
    assert (row.kind, row.match, row.default_effort, row.source) == ("mistral", "my-", "none", "settings")


@pytest.mark.parametrize(
    ("lines", "mistake"),
    [
        ("efort = []", "catalog[0].efort (tokenwire.toml): is no setting; did you mean catalog[0].efforts?"),
        ("efforts = 3", "catalog[0].efforts (tokenwire.toml): must be a list"),
        ('endpoint = "x"', "catalog[0].endpoint (tokenwire.toml): must be 'chat' or 'responses'"),
        (
            'contains = "x"',
            "catalog[0] (tokenwire.toml): needs match or contains, and not both; write one",
        ),
        (
            'efforts = []\ndefault_effort = "low"',
            "catalog[0] (tokenwire.toml): has a default_effort that is not among its efforts; add it there",
        ),
        (
            '[[catalog]]\nkind = "openai"\nmatch = "gpt"',
            "catalog (tokenwire.toml): has openai match = 'gpt' twice; remove one",
        ),
    ],
)
def test_a_wrong_row_is_a_mistake_that_names_it(place: Place, lines: str, mistake: str) -> None:
    assert place.mistakes(f'[[catalog]]\nkind = "openai"\nmatch = "gpt"\n{lines}') == [mistake]


def test_what_is_no_row_is_a_mistake(place: Place) -> None:
    assert place.mistakes("catalog = [3]") == [
        "catalog[0] (tokenwire.toml): is a table, not a value; set the keys in it"
    ]
    assert place.mistakes('[[catalog]]\nmatch = "x"') == [
        (
            "catalog[0].kind (tokenwire.toml): is missing; "
            'write kind = "openai", "mistral" or "openai_compatible"'
        )
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('kind = "openai"\nmatch = "a"\nsource = "b"\nx = 1', r"catalog\[0\] \(a\): x: Extra inputs"),
        ('kind = "x"\ncontains = "a"\nsource = "b"', r"catalog\[0\] \(a\): kind: Input should be"),
        ('kind = "openai"\nsource = "b"', r"catalog\[0\] \(\?\): row: Value error, needs match"),
        ('kind = "openai"\nmatch = "a"', r"catalog\[0\] \(a\): source: Field required"),
        ("[other]", "has other tables"),
    ],
)
def test_a_wrong_shipped_row_is_named_with_its_key(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        shipped(f"[[catalog]]\n{text}")


def test_no_two_shipped_rows_are_the_same_and_each_has_a_source() -> None:
    rows = shipped()
    assert len({row.rule for row in rows}) == len(rows)
    assert [row.rule for row in rows if not row.source.strip() or row.source == "settings"] == []


def test_no_number_of_names_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "REMEMBERED", 10)
    some = load()
    for number in range(25):
        assert some.find("openai", f"gpt-5-{number}") == some.find("openai", "gpt-5-x")
    some.find("openai", "gpt-5-" + "x" * 1000)
    assert max(len(model) for _, model in some._found) < 20  # noqa: SLF001
    assert len(some._found) <= 10  # noqa: SLF001


def table() -> str:
    """The table of docs/models.md."""
    lines = ["| kind | model | endpoint | temperature, top_p | efforts |", "|---|---|---|---|---|"]
    words = {"always": "yes", "never": "no", "effort_none": "with effort none", None: "?"}
    for row in shipped():
        name = f"`{row.match}…`" if row.match else f"`…{row.contains}…`"
        efforts = [f"**{e}**" if e == row.default_effort else e for e in row.efforts or ()]
        shown = "?" if row.efforts is None else ", ".join(efforts) or "none taken"
        lines.append(f"| {row.kind} | {name} | {row.endpoint or '?'} | {words[row.sampling]} | {shown} |")
    return "\n".join(lines) + "\n"


def test_the_page_shows_the_catalog_and_every_key() -> None:
    page = (ROOT / "docs/models.md").read_text(encoding="utf-8")
    begin, end = "<!-- catalog:begin -->\n", "<!-- catalog:end -->"
    assert page.partition(begin)[2].partition(end)[0] == table()
    assert [name for name in Row.model_fields if not re.search(rf"^\| `{name}` \|", page, re.MULTILINE)] == []
