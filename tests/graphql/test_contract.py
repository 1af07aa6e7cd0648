"""The public contract is kept: everything in it stands in our schema, by name, type, default and description."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
)

from portal.graphql.schema import schema

CONTRACT = build_schema((Path(__file__).parents[1] / "data" / "contract.graphql").read_text())
EXPORTED = Path(__file__).parents[2] / "schema.graphql"
OURS: GraphQLSchema = build_schema(schema.as_str())
NAMES = sorted(name for name in CONTRACT.type_map if not name.startswith("__"))


def described(theirs: object, ours: object) -> None:
    promised = getattr(theirs, "description", None)
    if promised:
        assert getattr(ours, "description", None) == promised


def fields_agree(theirs: GraphQLNamedType, ours: GraphQLNamedType) -> None:
    for name, field in theirs.fields.items():  # type: ignore[attr-defined]
        mine = ours.fields[name]  # type: ignore[attr-defined]
        assert str(mine.type) == str(field.type), f"{theirs.name}.{name}"
        described(field, mine)
        if isinstance(theirs, GraphQLInputObjectType):
            assert mine.default_value == field.default_value, f"{theirs.name}.{name}"
            continue
        for argument_name, argument in field.args.items():
            mine_argument = mine.args[argument_name]
            assert str(mine_argument.type) == str(argument.type), f"{theirs.name}.{name}({argument_name})"
            assert mine_argument.default_value == argument.default_value, f"{theirs.name}.{name}({argument_name})"


@pytest.mark.parametrize("name", NAMES)
def test_type_of_the_contract_is_in_the_schema(name: str) -> None:
    theirs, ours = CONTRACT.type_map[name], OURS.type_map[name]
    assert type(ours) is type(theirs)
    described(theirs, ours)
    match theirs:
        case GraphQLScalarType():
            pass
        case GraphQLEnumType():
            assert set(theirs.values) <= set(ours.values)  # type: ignore[attr-defined]
        case GraphQLUnionType():
            assert {t.name for t in theirs.types} <= {t.name for t in ours.types}  # type: ignore[attr-defined]
        case GraphQLObjectType() | GraphQLInterfaceType():
            assert {i.name for i in theirs.interfaces} <= {i.name for i in ours.interfaces}  # type: ignore[attr-defined]
            fields_agree(theirs, ours)
        case _:
            fields_agree(theirs, ours)


def test_no_new_field_of_an_input_is_required() -> None:
    for name in NAMES:
        theirs, ours = CONTRACT.type_map[name], OURS.type_map[name]
        if isinstance(theirs, GraphQLInputObjectType) and isinstance(ours, GraphQLInputObjectType):
            new = set(ours.fields) - set(theirs.fields)
            assert not [field for field in new if str(ours.fields[field].type).endswith("!")]


def test_no_type_is_called_subscription() -> None:
    assert "Subscription" not in OURS.type_map
    assert OURS.subscription_type is None


def test_the_exported_schema_is_the_schema() -> None:
    assert EXPORTED.read_text() == schema.as_str() + "\n", "run `make schema` and look at the change"
