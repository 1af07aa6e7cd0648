"""What the documents, comments and docstrings point at is there."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = sorted(path.parent.name for path in ROOT.glob("*/apps.py"))
FOLDERS = (*APPS, "bench", "docs", "examples", "frontend", "tests")
DOCUMENTS = sorted(
    path for pattern in ("*.md", "docs/**/*.md", "frontend/*.md", "examples/*/README.md") for path in ROOT.glob(pattern)
)
CODE = [*ROOT.glob("*.py"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))]
SOURCES = [path for path in CODE if not {"migrations", "node_modules"} & set(path.parts)]
QUOTED = re.compile(r"`+([^`\n]+)`+")
LINKED = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
# A path from the top of the repository, with or without the ending; prose may go on behind it.
PATH = re.compile(rf"(?<![\w./-])(?:{'|'.join(FOLDERS)})/[\w./*-]*\w")
FILE = re.compile(r"[\w-]+\.(?:py|mjs|js|graphql|html|css)")
TARGET = re.compile(r"^\s*make ([a-z-]+)|`make ([a-z-]+)", re.MULTILINE)
MODULE = re.compile(rf"(?:python -m |celery -A |--interface asginl )((?:{'|'.join(FOLDERS)})(?:\.\w+)*)")


def is_there(path: str) -> bool:
    """Whether something goes by that path; decisions are named by their number."""
    return any(ROOT.glob(path)) or any(ROOT.glob(f"{path}[-.]*"))


def is_a_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def text_of(document: Path) -> str:
    """What is said of today: a released part of the changelog speaks of its own day."""
    text = document.read_text()
    if document.name == "CHANGELOG.md":
        return text.partition("## [Unreleased]")[2].partition("\n## ")[0]
    return text


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_document_points_at_what_is_there(document: Path) -> None:
    text = text_of(document)
    known = {path.name for path in (*SOURCES, *(ROOT / "frontend").rglob("*"), *(ROOT / "examples").rglob("*"))}
    quoted = QUOTED.findall(text)
    gone = [path for said in quoted for path in PATH.findall(said) if not is_there(path)]
    gone += [
        name for said in quoted for name in FILE.findall(said) if said == name and not (name in known or is_there(name))
    ]
    gone += [name for name in MODULE.findall(text) if not is_a_module(name)]
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    gone += [f"make {name}" for pair in TARGET.findall(text) for name in pair if name and name not in targets]
    gone += [to for to in LINKED.findall(text) if "://" not in to and not (document.parent / to).exists()]
    assert not gone


@pytest.mark.parametrize("folder", FOLDERS)
def test_comments_and_docstrings_point_at_what_is_there(folder: str) -> None:
    gone = {
        (str(source.relative_to(ROOT)), path)
        for source in SOURCES
        if source.relative_to(ROOT).parts[0] == folder
        for said in _said_beside(source.read_text())
        for path in PATH.findall(said)
        if not is_there(path)
    }
    assert not gone


def _said_beside(code: str) -> Iterator[str]:
    """The comments and the docstrings."""
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""
