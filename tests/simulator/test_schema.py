"""Values made for a schema satisfy it; judged by a small validator of its own."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenwire_server.simulator.schema import FORMATS, example

Schema = dict[str, Any]

_TYPES = {"string": str, "boolean": bool, "null": type(None), "object": dict, "array": list}


def satisfies(value: object, schema: Schema, root: Schema) -> bool:
    if "$ref" in schema:
        return satisfies(value, root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root)
    if "const" in schema:
        return bool(value == schema["const"])
    if "enum" in schema:
        return value in schema["enum"]
    if "anyOf" in schema:
        return any(satisfies(value, choice, root) for choice in schema["anyOf"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return any(_has_type(value, kind) and _within(value, schema, root) for kind in kinds)


def _has_type(value: object, kind: str) -> bool:
    if kind in {"integer", "number"}:
        allowed = int if kind == "integer" else int | float
        return isinstance(value, allowed) and not isinstance(value, bool)
    return isinstance(value, _TYPES[kind])


def _within(value: object, schema: Schema, root: Schema) -> bool:
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        open_to_others = schema.get("additionalProperties") is not False
        return (
            all(name in value for name in schema.get("required", ()))
            and (open_to_others or value.keys() <= properties.keys())
            and all(
                satisfies(item, properties[name], root) for name, item in value.items() if name in properties
            )
        )
    if isinstance(value, list):
        few, many = schema.get("minItems", 0), schema.get("maxItems", len(value))
        return bool(few <= len(value) <= many) and all(
            satisfies(item, schema["items"], root) for item in value
        )
    if isinstance(value, str):
        return bool(schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _in_range(value, schema)
    return True


def _in_range(value: float, schema: Schema) -> bool:
    return bool(
        schema.get("minimum", value) <= value <= schema.get("maximum", value)
        and schema.get("exclusiveMinimum", value - 1) < value < schema.get("exclusiveMaximum", value + 1)
        and value % schema.get("multipleOf", value or 1) == 0
    )


def _ranges(kind: str) -> st.SearchStrategy[Schema]:
    bounds = st.tuples(st.integers(-1000, 1000), st.integers(2, 50))
    keys = st.sampled_from(
        [("minimum", "maximum"), ("exclusiveMinimum", "exclusiveMaximum"), ("minimum",), ()]
    )
    return st.builds(
        lambda bound, names: {"type": kind, **dict(zip(names, (bound[0], sum(bound)), strict=False))},
        bounds,
        keys,
    )


_LEAVES: st.SearchStrategy[Schema] = st.one_of(
    st.sampled_from([{"type": kind} for kind in ("string", "boolean", "null", "integer", "number")]),
    st.sampled_from(
        [{"type": ["string", "null"]}, {"type": "string", "minLength": 30}, {"$ref": "#/$defs/Node"}]
    ),
    st.sampled_from([{"const": 7}, {"enum": ["a", "b"]}, {"type": "string", "maxLength": 3}]),
    st.integers(1, 40).map(lambda step: {"type": "integer", "multipleOf": step, "minimum": 41}),
    _ranges("integer"),
    _ranges("number"),
)


def _nested(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    names = st.dictionaries(st.text("abc", min_size=1, max_size=4), inner, max_size=4)
    return st.one_of(
        st.builds(
            lambda properties, count, closed: {
                "type": "object",
                "properties": properties,
                "required": list(properties)[:count],
                "additionalProperties": not closed,
            },
            names,
            st.integers(0, 4),
            st.booleans(),
        ),
        st.builds(
            lambda items, few, more: {
                "type": "array",
                "items": items,
                "minItems": few,
                "maxItems": few + more,
            },
            inner,
            st.integers(0, 4),
            st.integers(0, 4),
        ),
        st.lists(inner, min_size=1, max_size=3).map(lambda choices: {"anyOf": choices}),
    )


_NODE: Schema = {
    "type": "object",
    "properties": {
        "label": {"type": "string"},
        "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
        "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
    },
    "required": ["label", "next", "children"],
    "additionalProperties": False,
}


@settings(max_examples=200, deadline=None)
@given(st.recursive(_LEAVES, _nested, max_leaves=8), st.integers(0, 5))
def test_values_satisfy_their_schema(schema: Schema, variant: int) -> None:
    root = {**schema, "$defs": {"Node": _NODE}}
    value = example(root, variant)
    assert satisfies(value, schema, root), value
    assert value == example(json.loads(json.dumps(root)), variant)


@settings(max_examples=200, deadline=None)
@given(st.one_of(_ranges("integer"), _ranges("number")), st.integers(0, 60))
def test_numbers_are_within_their_bounds(schema: Schema, variant: int) -> None:
    value = example(schema, variant)
    assert satisfies(value, schema, schema), value


@pytest.mark.parametrize("form", FORMATS)
def test_formats(form: str) -> None:
    assert example({"type": "string", "format": form}) == FORMATS[form]


@pytest.mark.parametrize("pattern", [r"^\d{5}$", r"^[A-Z]{3}$", r"^\S+@\S+$", r"^#[0-9a-f]{6}$"])
def test_plain_patterns(pattern: str) -> None:
    assert re.search(pattern, str(example({"type": "string", "pattern": pattern})))


def test_all_of_is_met_at_once() -> None:
    parts = [
        {"type": "object", "properties": {name: {"type": "integer"}}, "required": [name]} for name in "ab"
    ]
    assert example({"allOf": parts}) == {"a": 1, "b": 1}


def test_endless_schemas_end() -> None:
    endless = {"type": "object", "properties": {"me": {"$ref": "#"}}, "required": ["me"]}
    assert isinstance(example(endless), dict)
    assert example({"$ref": "#"}) is None


def test_a_map_has_an_entry() -> None:
    assert example({"type": "object", "additionalProperties": {"type": "boolean"}}) == {"key1": True}


def test_items_of_an_array_differ() -> None:
    assert example({"type": "array", "items": {"type": "string"}, "minItems": 2, "uniqueItems": True}) == [
        "example value",
        "example value 2",
    ]
