"""What docs/architecture.md, and CONTRIBUTING.md, point at is where they say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
REFERENCE = re.compile(r"`([\w/]+\.py):([\w.]+)`")
# Whoever writes a reference with a slip in it would otherwise have one that nobody looks up.
LIKE_A_REFERENCE = re.compile(r"`([^`\s]*\w:\w[^`]*)`")
QUESTION = re.compile(r"^\| (?P<question>[^|]+\?) \|(?P<answer>.+)\|$", re.MULTILINE)


@cache
def symbols(path: str) -> frozenset[str]:
    """What a module defines: its own names, and those of its classes with a dot."""
    return frozenset(_defined(ast.parse((ROOT / path).read_text()).body))


def _defined(body: list[ast.stmt], inside: str = "") -> Iterator[str]:
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield inside + node.name
            case ast.ClassDef():
                yield inside + node.name
                yield from _defined(node.body, f"{inside}{node.name}.")
            case ast.Assign():
                yield from (
                    inside + name.id for to in node.targets for name in ast.walk(to) if isinstance(name, ast.Name)
                )
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield inside + name
            case _:
                pass


def test_every_symbol_is_there() -> None:
    found = REFERENCE.findall(PAGE)
    assert len(found) > 100
    found += REFERENCE.findall((ROOT / "CONTRIBUTING.md").read_text())
    assert not [
        f"{path}:{symbol}" for path, symbol in found if not (ROOT / path).is_file() or symbol not in symbols(path)
    ]


def test_nothing_that_looks_like_a_reference_is_left_out() -> None:
    assert set(LIKE_A_REFERENCE.findall(PAGE)) - {"path:symbol"} == {
        ":".join(found) for found in REFERENCE.findall(PAGE)
    }


def test_the_table_answers_every_question_with_a_symbol() -> None:
    rows = QUESTION.findall(PAGE.partition("## Where is it?")[2])
    assert len(rows) >= 20
    assert not [question for question, answer in rows if not REFERENCE.search(answer)]


def test_a_symbol_that_is_gone_is_noticed() -> None:
    names = symbols("subscriptions/policy/facts.py")
    assert {"PolicyTerms", "PolicyTerms.max_online", "PolicyTerms.online_license_limit"} <= names
    assert not {"max_online", "PolicyTerms.gone"} & names
