"""The element's operations are in the schema, and what is served is made from them. Its words are complete."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

import pytest
from graphql import build_schema, parse, validate

from common.languages import DEFAULT_LANGUAGE, Language
from tests.exports import LOCALES, OPERATIONS, ROOT, locales_as_module, operations, operations_as_module

FRONTEND = ROOT / "frontend"
SCHEMA = build_schema((ROOT / "schema.graphql").read_text())
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(
    NODE is None, reason="NOT TESTED: node is not there, the element's own tests did not run"
)


@pytest.mark.parametrize("name", operations())
def test_an_operation_is_one_that_the_schema_answers(name: str) -> None:
    assert validate(SCHEMA, parse(operations()[name])) == []


def test_what_is_served_is_made_from_the_operations() -> None:
    assert len(list(OPERATIONS.glob("*.graphql"))) > 1
    assert (FRONTEND / "src" / "operations.js").read_text() == operations_as_module(), "run `make schema`"


@needs_node
def test_the_elements_own_tests() -> None:
    done = subprocess.run(["node", "--test", "test/"], cwd=FRONTEND, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_node
def test_every_language_says_everything() -> None:
    words = {path.stem: _words(path.stem) for path in LOCALES.parent.glob("*.js") if path != LOCALES}
    assert set(words) == set(Language)
    for found in words.values():
        assert set(found["feedback"]) == set(SCHEMA.type_map["CancellationFeedback"].values)  # type: ignore[attr-defined]
    said = {code: _flat(found) for code, found in words.items()}
    english = said[DEFAULT_LANGUAGE]
    for code, other in said.items():
        assert other.keys() == english.keys(), code
        for key, text in other.items():
            assert text.strip()
            assert set(re.findall(r"{(\w+)}", text)) == set(re.findall(r"{(\w+)}", english[key])), (code, key)


def test_the_element_speaks_what_is_listed() -> None:
    assert LOCALES.read_text() == locales_as_module(), "run `make schema`"


def test_every_word_that_is_asked_for_is_there() -> None:
    sources = [
        *(FRONTEND / "src" / "views").glob("*.js"),
        FRONTEND / "src" / "picture.js",
        FRONTEND / "src" / "element.js",
    ]
    views = "".join(path.read_text() for path in sources)
    asked = set(re.findall(r"""say\(\s*["']([\w.]+)["']""", views))
    known = set(re.findall(r"^ {2}(\w+):", (FRONTEND / "src" / "locales" / "en.js").read_text(), re.MULTILINE))
    assert {key.split(".")[0] for key in asked} <= known
    dynamic = set(re.findall(r"say\(\s*`(\w+)\.", views)) | set(re.findall(r"\bt\.(languages|feedback)\b", views))
    conditional = {"none", "noneFound", "cancelNow", "cancelAtEnd", "renews", "ends", "moveCall", "ask", "routes"}
    assert known - {key.split(".")[0] for key in asked} - dynamic <= conditional | {"dates"}


def _words(code: str) -> Any:
    script = f"import('./src/locales/{code}.js').then(m => console.log(JSON.stringify(m.default)))"
    done = subprocess.run(["node", "-e", script], cwd=FRONTEND, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def _flat(words: Any, path: str = "") -> dict[str, str]:
    if isinstance(words, str):
        return {path: words}
    return {key: text for name, inner in words.items() for key, text in _flat(inner, f"{path}.{name}").items()}
