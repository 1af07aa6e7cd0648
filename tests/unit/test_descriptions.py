"""The schema is its own documentation: everything in it says what it promises, and no description repeats its name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from graphql import GraphQLSchema, build_schema, is_enum_type, is_specified_scalar_type, is_union_type

SCHEMA = Path(__file__).resolve().parents[2] / "schema.graphql"


def described(schema: GraphQLSchema) -> Iterator[tuple[str, str | None]]:
    """Every type, field, argument, input field and enum value, with its description."""
    for name, kind in schema.type_map.items():
        if name.startswith("__") or is_specified_scalar_type(kind):
            continue
        yield name, kind.description
        if is_enum_type(kind):
            yield from ((f"{name}.{value}", found.description) for value, found in kind.values.items())
        elif not is_union_type(kind):
            for field, found in getattr(kind, "fields", {}).items():
                yield f"{name}.{field}", found.description
                for argument, given in getattr(found, "args", {}).items():
                    yield f"{name}.{field}({argument})", given.description


def repeats(name: str, description: str) -> bool:
    """Whether nothing is said that the name does not say."""
    words = re.findall(r"[a-z]+", re.sub(r"([A-Z]+)", r" \1", name).lower())
    said = set(re.findall(r"[a-z]+", description.lower())) - {"the", "a", "an", "of", "its", "this", "is", "it"}
    return said <= {*words, *(f"{word}s" for word in words)}


def test_everything_is_described() -> None:
    found = list(described(build_schema(SCHEMA.read_text())))
    assert len(found) > 500
    assert [name for name, text in found if not text] == []
    assert [name for name, text in found if repeats(re.split(r"[.(]", name)[-1].rstrip(")"), text or "")] == []


def test_what_is_not_described_is_found() -> None:
    found = dict(described(build_schema("enum Color { RED } type Query { color(of: Int): Color }")))
    assert sorted(found) == ["Color", "Color.RED", "Query", "Query.color", "Query.color(of)"]
    assert set(found.values()) == {None}
    assert repeats("webhookId", "The id of the webhook.")
    assert not repeats("webhookId", "Of what was removed.")
