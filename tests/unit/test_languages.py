"""A language is listed once: nothing else knows the code of one."""

from __future__ import annotations

import ast
from pathlib import Path

from django.conf import settings
from django.test import RequestFactory

from common.languages import DEFAULT_LANGUAGE, STAFF_LANGUAGES, Language
from portal.web import language
from portal.web.language import asked_language

ROOT = Path(__file__).resolve().parents[2]


def test_no_code_of_a_language_stands_anywhere_else() -> None:
    codes = {listed.value for listed in Language}
    found = {
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for app in ROOT.glob("*/apps.py")
        for path in app.parent.rglob("*.py")
        if "migrations" not in path.parts and path != ROOT / "common" / "languages.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in codes
    }
    assert not found


def test_every_language_has_its_two_files() -> None:
    for listed in Language:
        assert (ROOT / "frontend" / "src" / "locales" / f"{listed}.js").is_file()
        assert listed == DEFAULT_LANGUAGE or (settings.LOCALE_PATHS[0] / listed / "LC_MESSAGES" / "django.po").is_file()
    assert set(STAFF_LANGUAGES) <= set(Language)


def test_the_admin_is_in_a_language_of_staff(monkeypatch: object) -> None:
    def asked(path: str) -> str | None:
        return asked_language(RequestFactory().get(path, headers={"Accept-Language": "bg, en;q=0.5"}))

    assert (asked("/"), asked("/admin/")) == ("bg", "bg")
    monkeypatch.setattr(language, "STAFF_LANGUAGES", (Language.EN,))  # type: ignore[attr-defined]
    assert (asked("/"), asked("/admin/")) == ("bg", "en")
