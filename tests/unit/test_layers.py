"""Where a line belongs: import directions that nothing escapes, pure modules that are, and modules that stay readable."""

from __future__ import annotations

import ast
import configparser
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
CONTRACTS = configparser.ConfigParser()
CONTRACTS.read(ROOT / ".importlinter")
APPS = CONTRACTS["importlinter"]["root_packages"].split()
PURE = CONTRACTS["importlinter:contract:pure"]["source_modules"].split()
MAX_LINES, MAX_LINES_OF_A_FUNCTION = 350, 40


def modules(*folders: str) -> Iterator[tuple[str, Path]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                yield name.removesuffix(".__init__"), path


def is_pure(name: str) -> bool:
    return any(name == pure or name.startswith(f"{pure}.") for pure in PURE)


def test_every_app_is_in_the_contracts() -> None:
    assert sorted(APPS) == sorted(path.parent.name for path in ROOT.glob("*/apps.py"))


@pytest.mark.parametrize("app", APPS)
def test_what_says_that_it_is_pure_is_held_to_it(app: str) -> None:
    says_so = {name for name, path in modules(app) if re.search(r"\bPure\b", ast.get_docstring(parsed(path)) or "")}
    inside = {name for name, _ in modules(app) if is_pure(name)}
    # In a package the package says it for its modules.
    packages = {pure for pure in PURE if (ROOT / pure.replace(".", "/")).is_dir()}
    assert says_so == {name for name in inside if not any(name.startswith(f"{package}.") for package in packages)}


@pytest.mark.parametrize("name", [name for name, _ in modules(*APPS) if is_pure(name)])
def test_a_pure_module_has_no_clock(name: str) -> None:
    path = dict(modules(name.partition(".")[0]))[name]
    called = {
        node.func.attr
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert not called & {"now", "today", "utcnow", "monotonic"}


def test_a_module_that_no_contract_names_fails(tmp_path: Path) -> None:
    for app in APPS:
        shutil.copytree(ROOT / app, tmp_path / app, ignore=shutil.ignore_patterns("__pycache__", "locale", "static"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    lint = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    for app in APPS:
        (tmp_path / app / "stray.py").touch()
    found = subprocess.run(lint, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert found.returncode == 1
    assert set(re.findall(r"^- (\w+)\.stray$", found.stdout, flags=re.M)) == set(APPS)


def test_no_module_is_long() -> None:
    long = {
        name: lines
        for name, path in modules(*APPS, "bench")
        if (lines := len(path.read_text().splitlines())) > MAX_LINES
    }
    for path in (ROOT / "frontend" / "src").rglob("*.js"):
        if (lines := len(path.read_text().splitlines())) > MAX_LINES:
            long[path.name] = lines
    assert not long


def test_no_function_is_long() -> None:
    assert not {
        f"{name}.{node.name}": lines
        for name, path in modules(*APPS, "bench")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := node.end_lineno - node.lineno + 1 - _of_docstring(node)) > MAX_LINES_OF_A_FUNCTION  # type: ignore[operator]
    }


def _of_docstring(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = node.body[0]
    return (first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(node) else 0


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())
