"""What is known of models: which row and which facts count, and what settings say instead."""

from datetime import date

import pytest
from unit.settings_place import Place, place

from tokenwire_server import catalog
from tokenwire_server.catalog import Catalog, Facts, Prices, Row, load, shipped

__all__ = ["place"]  # a fixture

CATALOG = load()


def found(kind: str, model: str) -> Row:
    row = CATALOG.find(kind, model)
    assert row is not None
    return row


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


@pytest.mark.parametrize(
    "model",
    [
        "ft:gpt-5-mini:acme",
        "ft:gpt-6-luna:acme",
        "gpt-5-search-api",
        "gpt-5.3-codex",
        "gpt-5.9",
        "gpt-6.9-sol",
    ],
)
def test_every_gpt_5_and_6_uses_responses_and_what_is_not_known_is_left_open(model: str) -> None:
    row = found("openai", model)
    assert (row.endpoint, row.sampling, row.efforts) == ("responses", None, None)
    assert row.default_max_output_tokens == 32_000


FACTS = Row(kind="openai", match="some", facts=Facts(context_window=5))


@pytest.mark.parametrize("model", ["some", "some-2024-08-06", "some-2407"])
def test_facts_are_of_the_model_and_its_dated_snapshots(model: str) -> None:
    assert Catalog([FACTS]).facts("openai", model) == FACTS.facts
    assert Catalog([FACTS]).facts("mistral", model) is None


@pytest.mark.parametrize(
    "model",
    ["some-24", "some-latest", "some-audio-2024-08-06", "some-2024-08-06-preview", "ft:some", "som", ""],
)
def test_facts_are_of_no_other_model(model: str) -> None:
    assert Catalog([FACTS]).facts("openai", model) is None


def test_a_snapshot_with_facts_of_its_own_has_those() -> None:
    own = Row(kind="openai", match="some-2024-08-06", facts=Facts(context_window=9))
    some = Catalog([FACTS, own])
    assert some.facts("openai", "some-2024-08-06") == own.facts
    assert some.facts("openai", "some-2024-11-20") == FACTS.facts


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4o-2024-08-06", "GPT-4o"),
        ("gpt-4o-2024-05-13", "GPT-4o (2024-05-13)"),
        ("gpt-4o-audio-preview", "GPT-4o Audio"),
        ("gpt-4o-realtime-preview", None),
        ("ft:gpt-4o-2024-08-06:acme", None),
        ("gpt-3.5-turbo-0125", "GPT-3.5 Turbo"),
        ("gpt-5-mini-2025-08-07", "GPT-5 mini"),
    ],
)
def test_a_snapshot_of_a_shipped_model_has_its_facts(model: str, name: str | None) -> None:
    facts = CATALOG.facts("openai", model)
    assert (facts and facts.display_name) == name


def test_a_row_with_facts_only_leaves_the_rules_to_the_next_one() -> None:
    rules = Row(kind="openai", match="some-", efforts=("low",))
    facts = Row(kind="openai", match="some-model", facts=Facts(context_window=5))
    both = Row(kind="openai", match="some-other", efforts=(), facts=Facts(context_window=7))
    some = Catalog([rules, facts, both])
    assert some.find("openai", "some-model") == rules
    assert some.facts("openai", "some-model") == facts.facts
    assert some.find("openai", "some-other") == both
    assert Catalog([facts]).find("openai", "some-model") is None


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


def test_facts_of_settings_take_the_place_of_shipped_ones(place: Place) -> None:
    rows = place.load(
        '[[catalog]]\nkind = "openai"\nmatch = "gpt-4o-mini"\n'
        "[catalog.facts]\nshutdown = 2030-01-02\n"
        "[catalog.facts.prices]\ntaken = 2026-11-01\ninput_usd = 0.1\n"
    ).catalog
    mine = load(rows)
    expected = Facts(shutdown=date(2030, 1, 2), prices=Prices(taken=date(2026, 11, 1), input_usd=0.1))
    assert mine.facts("openai", "gpt-4o-mini-2024-07-18") == expected
    assert mine.find("openai", "gpt-4o-mini") == found("openai", "gpt-4o")


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
            "[catalog.facts]\ncontext_windw = 3",
            (
                "catalog[0].facts.context_windw (tokenwire.toml): is no setting; "
                "did you mean catalog[0].facts.context_window?"
            ),
        ),
        (
            "context_window = 3",
            (
                "catalog[0].context_window (tokenwire.toml): is no setting; "
                "did you mean catalog[0].facts.context_window?"
            ),
        ),
        (
            "[catalog.facts]\nreplacement = 'x'",
            "catalog[0].facts (tokenwire.toml): has a replacement and no shutdown; write both",
        ),
        (
            "[catalog.facts]\ncontext_window = 3\nmax_output_tokens = 4",
            "catalog[0].facts (tokenwire.toml): has max_output_tokens above its context_window; correct one",
        ),
        (
            "[catalog.facts.prices]\ninput_usd = 3",
            "catalog[0].facts.prices.taken (tokenwire.toml): is missing; add it",
        ),
        (
            "[catalog.facts.prices]\ntaken = 2026-01-01\nup_to_input_tokens = 3",
            "catalog[0].facts.prices (tokenwire.toml): has no price; write one",
        ),
        (
            "[catalog.facts.prices]\ntaken = 2026-01-01\ninput_usd = -3",
            "catalog[0].facts.prices.input_usd (tokenwire.toml): must be greater than or equal to 0",
        ),
        (
            '[[catalog]]\nkind = "openai"\nmatch = "gpt"',
            "catalog (tokenwire.toml): has openai match = 'gpt' twice; remove one",
        ),
    ],
)
def test_a_wrong_row_is_a_mistake_that_names_it(place: Place, lines: str, mistake: str) -> None:
    assert place.mistakes(f'[[catalog]]\nkind = "openai"\nmatch = "gpt"\n{lines}') == [mistake]


def test_facts_of_many_models_are_a_mistake(place: Place) -> None:
    text = '[[catalog]]\nkind = "openai"\ncontains = "x"\n[catalog.facts]\ncontext_window = 3'
    assert place.mistakes(text) == [
        "catalog[0] (tokenwire.toml): has facts, which are of one model; write match in the place of contains"
    ]


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
        (
            'kind = "openai"\nmatch = "a"\n[catalog.facts]\nshutdown = 2026-01-01',
            r"catalog\[0\] \(a\): facts.source: Field required",
        ),
        (
            'kind = "openai"\nmatch = "a"\nefforts = []\n[catalog.facts]\nsource = "b"',
            r"catalog\[0\] \(a\): source: Field required",
        ),
        ("[other]", "has other tables"),
    ],
)
def test_a_wrong_shipped_row_is_named_with_its_key(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        shipped(f"[[catalog]]\n{text}")


def test_no_number_of_names_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "REMEMBERED", 10)
    some = load()
    for number in range(25):
        assert some.find("openai", f"gpt-5-{number}") == some.find("openai", "gpt-5-x")
    some.find("openai", "gpt-5-" + "x" * 1000)
    assert max(len(model) for _, model in some._found) < 20  # noqa: SLF001 (nobody else may read it)
    assert len(some._found) <= 10  # noqa: SLF001 (nobody else may read it)
