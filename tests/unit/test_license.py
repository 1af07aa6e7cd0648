"""Everybody may use it, and every package says so."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Of the text as the Apache Software Foundation publishes it.
APACHE_2 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"


def test_the_license_is_apache_2_word_for_word() -> None:
    ours = "Copyright 2026 The Wayout authors"
    text = (ROOT / "LICENSE").read_text()
    assert text.count(ours) == 1
    published = text.replace(ours, "Copyright [yyyy] [name of copyright owner]")
    assert hashlib.sha256(published.encode()).hexdigest() == APACHE_2


def test_every_package_names_it() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"] == "Apache-2.0"
    assert json.loads((ROOT / "frontend" / "package.json").read_text())["license"] == "Apache-2.0"
    readme = (ROOT / "README.md").read_text()
    assert "(LICENSE)" in readme
    assert "(SECURITY.md)" in readme
