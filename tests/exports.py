"""What is printed from the code: schema.graphql, pages of docs/, the element's operations. ``make schema`` writes all."""

from __future__ import annotations

import json
from pathlib import Path

import django
from graphql import DocumentNode, FragmentDefinitionNode, OperationDefinitionNode, parse, print_ast, visit
from graphql.language import FragmentSpreadNode, Visitor
from graphql.utilities import strip_ignored_characters

from common.languages import DEFAULT_LANGUAGE, Language
from tests.sync import problems

ROOT = Path(__file__).resolve().parent.parent
OPERATIONS = ROOT / "frontend" / "operations"
LOCALES = ROOT / "frontend" / "src" / "locales" / "index.js"


def main() -> None:
    django.setup()
    from portal.graphql.access import as_markdown
    from portal.graphql.schema import schema

    (ROOT / "schema.graphql").write_text(schema.as_str() + "\n")
    (ROOT / "docs" / "access.md").write_text(as_markdown())
    (ROOT / "docs" / "sync-problems.md").write_text(problems.as_markdown())
    (ROOT / "frontend" / "src" / "operations.js").write_text(operations_as_module())
    LOCALES.write_text(locales_as_module())


def operations() -> dict[str, str]:
    """The documents of the element by name, each with the fragments it uses, without blanks."""
    documents = [parse(path.read_text()) for path in sorted(OPERATIONS.glob("*.graphql"))]
    definitions = [definition for document in documents for definition in document.definitions]
    fragments = {d.name.value: d for d in definitions if isinstance(d, FragmentDefinitionNode)}
    found = {}
    for operation in definitions:
        if isinstance(operation, OperationDefinitionNode):
            assert operation.name
            used = [fragments[name] for name in sorted(_used(operation, fragments))]
            whole = DocumentNode(definitions=(operation, *used))
            found[operation.name.value] = strip_ignored_characters(print_ast(whole))
    return dict(sorted(found.items()))


def operations_as_module() -> str:
    lines = [f"  {name}:\n    {json.dumps(text)}," for name, text in operations().items()]
    return "\n".join(
        [
            "// Made from operations/*.graphql by `make schema`.",
            "",
            "export const operations = {",
            *lines,
            "};",
            "",
        ]
    )


def locales_as_module() -> str:
    """The languages of the element, from the one list there is."""
    codes = [language.value for language in Language]
    names = ", ".join(f"{language.value}: {json.dumps(language.label, ensure_ascii=False)}" for language in Language)
    return "\n".join(
        [
            "// Made from common/languages.py by `make schema`.",
            "",
            *(f'import {code} from "./{code}.js";' for code in codes),
            "",
            f"export const locales = {{ {', '.join(codes)} }};",
            "// What each calls itself.",
            f"export const languages = {{ {names} }};",
            f"export const fallback = {json.dumps(DEFAULT_LANGUAGE)};",
            "",
        ]
    )


def _used(
    node: OperationDefinitionNode | FragmentDefinitionNode, fragments: dict[str, FragmentDefinitionNode]
) -> set[str]:
    names: set[str] = set()

    class Spreads(Visitor):
        def enter_fragment_spread(self, spread: FragmentSpreadNode, *_: object) -> None:
            names.add(spread.name.value)

    visit(node, Spreads())
    return names.union(*(_used(fragments[name], fragments) for name in names))


if __name__ == "__main__":
    main()
