"""Every GraphQL document that the tests, the benchmarks, the examples, the element and the documents send or show.

Python files are read, not imported. Of a document that is put together, what the file itself knows is put in; for the
rest stands a 1. What looks like a document and is none then is in ``unread``: whoever compares documents names it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from graphql import GraphQLError, OperationDefinitionNode, parse

from tests.exports import ROOT, operations

_PYTHON = ("tests", "bench", "examples")
# It asks a mutation that a copy of the code has.
_OF_A_COPY = ROOT / "tests" / "served" / "one_more.py"
_MARKDOWN = re.compile(r"^```graphql\n(.*?)^```", re.DOTALL | re.MULTILINE)
_LOOKS = re.compile(r"\s*((query|mutation)\b[^{]*)?\{\s*\w+.*\}\s*", re.DOTALL)
_SHORT = re.compile(r"\s*\{\s*(\w+)")


def collected(roots: set[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Documents, and texts that only look like one, by where they are. ``roots``: the fields that a query begins with."""
    found, unread = {f"operations/{name}": text for name, text in operations().items()}, {}
    for where, text in [*_in_markdown(), *_in_python()]:
        if _is_document(text):
            found[where] = text
        elif _LOOKS.fullmatch(text) and ((short := _SHORT.match(text)) is None or short[1] in roots):
            unread[where] = text
    return found, unread


def _is_document(text: str) -> bool:
    try:
        definitions = parse(text).definitions
    except GraphQLError:
        return False
    return any(isinstance(definition, OperationDefinitionNode) for definition in definitions)


def _in_markdown() -> Iterator[tuple[str, str]]:
    files = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
    for file in (file for file in sorted(files) if "node_modules" not in file.parts):
        for number, text in enumerate(_MARKDOWN.findall(file.read_text()), 1):
            yield f"{file.relative_to(ROOT)} {number}", text


def _in_python() -> Iterator[tuple[str, str]]:
    for folder in _PYTHON:
        for file in sorted((ROOT / folder).rglob("*.py")):
            if "node_modules" in file.parts or file == _OF_A_COPY:
                continue
            tree, known = _read(file)
            inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in _parts(node)}
            for node in ast.walk(tree):
                if id(node) not in inside and (text := _text(node, known)) and "{" in text:
                    yield f"{file.relative_to(ROOT)}:{node.lineno}", text  # type: ignore[attr-defined]


def _parts(node: ast.JoinedStr) -> list[ast.AST]:
    return [part for part in ast.walk(node) if part is not node]


@cache
def _read(file: Path) -> tuple[ast.Module, dict[str, str | None]]:
    """A file, and the texts that its own names stand for."""
    tree, known = ast.parse(file.read_text()), dict[str, str | None]()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_PYTHON):
            source = ROOT / f"{(node.module or '').replace('.', '/')}.py"
            theirs = _read(source)[1] if source.exists() else {}
            known |= {(a.asname or a.name): theirs[a.name] for a in node.names if a.name in theirs}
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            known[node.targets[0].id] = _text(node.value, known)
    return tree, known


def _text(node: ast.AST, known: dict[str, str | None]) -> str | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(_piece(part, known) for part in node.values)
    return None


def _piece(part: ast.expr, known: dict[str, str | None]) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    value = part.value if isinstance(part, ast.FormattedValue) else part
    text: str | None = known.get(value.id) if isinstance(value, ast.Name) else None
    return "1" if text is None else text
