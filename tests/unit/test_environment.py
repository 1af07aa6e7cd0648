"""What the environment says: one list of variables, and a sentence for those that nobody reads."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from portal import environment as env
from portal.environment import VARIABLES
from portal.settings import database

ROOT = Path(__file__).resolve().parents[2]
ROWS = re.compile(r"^\| (`(?:WAYOUT_|DATABASE_URL).*?) \|", re.MULTILINE)


def test_the_list_is_what_is_read_and_what_is_documented() -> None:
    calls = [
        node for node in ast.walk(ast.parse((ROOT / "portal/settings.py").read_text())) if isinstance(node, ast.Call)
    ]
    firsts = [call.args[0] for call in calls if isinstance(call.func, ast.Attribute) and call.args]
    # The one that its reader names by itself.
    read = {"DATABASE_URL", *(str(first.value) for first in firsts if isinstance(first, ast.Constant))}
    assert {name for name in read if name.startswith("WAYOUT_") or name == "DATABASE_URL"} == set(VARIABLES)
    page = (ROOT / "docs/setup.md").read_text()
    documented = [name for row in ROWS.findall(page) for name in re.findall(r"`(\w+)`", row)]
    assert sorted(documented) == sorted(VARIABLES)


def test_what_the_organization_needs_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAYOUT_OIDC_CLIENT_ID", raising=False)
    with pytest.raises(ImproperlyConfigured, match=r"^WAYOUT_OIDC_CLIENT_ID is a text"):
        env.needed("WAYOUT_OIDC_CLIENT_ID")


def test_a_name_that_nothing_reads_is_told_with_the_one_that_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("WAYOUT_")]:
        monkeypatch.delenv(name)
    for name in ("WAYOUT_HOST", "WAYOUT_AT_ONCE", "WAYOUT_STRIP_KEY", "WAYOUT_XYZZY", "WAYOUT_STRIPE_KEY"):
        monkeypatch.setenv(name, "x")
    assert list(env.misspelt(["WAYOUT_STRIPE_KEY"])) == [
        "WAYOUT_AT_ONCE is set and nothing reads it. Is WAYOUT_MAX_CONCURRENCY meant?",
        "WAYOUT_HOST is set and nothing reads it. Is WAYOUT_HOSTS meant?",
        "WAYOUT_STRIP_KEY is set and nothing reads it. Is WAYOUT_STRIPE_KEY meant?",
        "WAYOUT_XYZZY is set and nothing reads it.",
    ]


def test_a_file_says_what_the_environment_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"WAYOUT_STRIPE_URL": "said"})
    file = tmp_path / ".env"
    file.write_text("WAYOUT_STRIPE_KEY=sk_live_x\nWAYOUT_STRIPE_URL=in the file\nWAYOUT_DEBUG=1\n")
    env.read_file(file)
    assert os.environ == {"WAYOUT_STRIPE_KEY": "sk_live_x", "WAYOUT_STRIPE_URL": "said"}


@pytest.mark.parametrize("said", [f"{'x' * 50}, {'y' * 50}", f",{'x' * 50},,{'y' * 50} ,"])
def test_blanks_and_empty_ones_in_a_list_are_nothing(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an empty key anybody could sign."""
    monkeypatch.setenv("WAYOUT_DIGEST_KEYS", said)
    assert env.listed("WAYOUT_DIGEST_KEYS", least=50) == ["x" * 50, "y" * 50]
    monkeypatch.setenv("WAYOUT_DIGEST_KEYS", f"{said},short")
    with pytest.raises(ImproperlyConfigured, match="of 50 characters or more"):
        env.listed("WAYOUT_DIGEST_KEYS", least=50)
    monkeypatch.setenv("WAYOUT_DIGEST_KEYS", " , ")
    assert env.listed("WAYOUT_DIGEST_KEYS", least=50) == []


def test_what_an_address_says_of_encryption_counts() -> None:
    options = database("postgresql://wayout@db/wayout?sslmode=verify-full&application_name=a")["OPTIONS"]
    assert isinstance(options, dict)
    assert (options["sslmode"], options["application_name"]) == ("verify-full", "a")
    assert options["pool"]
