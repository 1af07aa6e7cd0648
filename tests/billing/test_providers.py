"""Which providers there are, what they say of themselves, and where else in the code one is named."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.test import Client

from billing import providers
from billing.providers.base import CreditForm, Declaration, ProviderUnknown
from billing.providers.ledger import Ledger
from tests.kills.test_kills import ROOT


class Another(Ledger):
    declares = Declaration(name="another", credit=CreditForm.ACCOUNT_CREDIT)


class Twin(Ledger):
    declares = Declaration(name="ledger", credit=CreditForm.ACCOUNT_CREDIT)


class Loud(Ledger):
    declares = Declaration(name="LOUD AND LONG", credit=CreditForm.ACCOUNT_CREDIT)


def test_an_unknown_provider_is_said_and_waited_for() -> None:
    with pytest.raises(ProviderUnknown, match="barter"):
        providers.provider("barter")
    assert not providers.is_subscription_id("barter", "sub_11111111")
    assert not providers.is_subscription_id("ledger", "")
    assert providers.subscription_id_example("barter") == ""


def test_a_class_elsewhere_is_chosen_by_its_path_and_stored_by_its_name(settings: Any) -> None:
    settings.WAYOUT_PROVIDER = f"{__name__}.Another"
    assert providers.default_provider() == "another"
    assert isinstance(providers.provider("another"), Another)
    settings.WAYOUT_PROVIDER, settings.WAYOUT_PROVIDERS = "ledger", [f"{__name__}.Another"]
    assert providers.default_provider() == "ledger"
    assert isinstance(providers.provider("another"), Another)


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ("barter", "one of ledger, .*, or the dotted path of a class: not barter"),
        ("nowhere.Nobody", "no provider at nowhere.Nobody"),
        ("json.dumps", "no class of billing.providers.base.Provider"),
        (f"{__name__}.Twin", "another provider is called 'ledger'"),
        (f"{__name__}.Loud", "is no name of 2 to 20"),
        ("stripe", "WAYOUT_STRIPE_KEY .the secret key of the account"),
        (".", "no provider at \\."),
        ("tests.billing.odd_module.Odd", "no provider at tests.billing.odd_module.Odd: RuntimeError"),
        ("tests.billing.odd_providers.Undeclared", "Undeclared declares nothing"),
        ("billing.providers.base.Provider", "Provider declares nothing"),
        ("tests.billing.odd_providers.DeclaredByText", "DeclaredByText declares nothing"),
        ("tests.billing.odd_providers.Nameless", "None is no name of 2 to 20"),
        ("tests.billing.odd_providers.BrokenPattern", "subscription_id is no pattern"),
        ("tests.billing.odd_providers.Half", "Half has no find"),
        ("tests.billing.odd_providers.Formless", "credit is one of PAID_BACK, .* not 'PAID_OUT'"),
    ],
)
def test_nothing_starts_with_a_provider_that_cannot_work(settings: Any, chosen: str, said: str) -> None:
    settings.WAYOUT_PROVIDER = chosen
    with pytest.raises(ImproperlyConfigured, match=said):
        providers.require_default()


def test_a_setting_is_django_s_or_the_environment_s(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    declared = providers.known()["stripe"].declares
    monkeypatch.setenv("WAYOUT_STRIPE_KEY", "sk_of_the_environment")
    assert providers.settings_of(declared)["WAYOUT_STRIPE_KEY"] == "sk_of_the_environment"
    settings.WAYOUT_STRIPE_KEY = "sk_of_the_settings"
    assert providers.settings_of(declared)["WAYOUT_STRIPE_KEY"] == "sk_of_the_settings"


def test_a_check_says_what_a_provider_misses(settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("check")
    assert "billing.W001" not in capsys.readouterr().err
    settings.WAYOUT_STRIPE_KEY = "sk_test_1"
    call_command("check")
    said = capsys.readouterr().err
    assert "WAYOUT_STRIPE_WEBHOOK_SECRET is not set" in said
    assert "sk_test_1" not in said
    settings.WAYOUT_STRIPE_KEY, settings.WAYOUT_STRIPE_WEBHOOK_SECRET = "", "whsec_1"
    call_command("check")
    assert "stripe needs WAYOUT_STRIPE_KEY" in capsys.readouterr().err


@pytest.mark.parametrize(("chosen", "warns"), [("ledger", True), ("owed", False)])
def test_a_check_asks_who_invoices_from_the_statement(
    settings: Any, capsys: pytest.CaptureFixture[str], chosen: str, warns: bool
) -> None:
    settings.WAYOUT_PROVIDER, settings.WAYOUT_LEDGER_INVOICED_BY = chosen, ""
    call_command("check")
    assert ("WAYOUT_LEDGER_INVOICED_BY is not set" in capsys.readouterr().err) is warns
    settings.WAYOUT_LEDGER_INVOICED_BY = "the books"
    call_command("check")
    assert "billing.W001" not in capsys.readouterr().err


def test_whoever_chooses_nothing_pays_by_other_means() -> None:
    """In a process of its own: the tests choose."""
    environment = {name: value for name, value in os.environ.items() if name != "WAYOUT_PROVIDER"}
    said = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c",
         "from billing.providers import credit_form, default_provider as d; print(d(), credit_form(d()))"],
        cwd=ROOT, env={**environment, "WAYOUT_DEBUG": "1", "DJANGO_SETTINGS_MODULE": "portal.settings"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert said.stdout.split() == ["owed", "OWED"]


@pytest.mark.parametrize(
    ("odd", "said"), [("Whole", "odd could not say what is wrong with its settings: ValueError"), ("SaysNothing", "")]
)
def test_a_check_outlives_a_provider_that_fails(
    settings: Any, capsys: pytest.CaptureFixture[str], odd: str, said: str
) -> None:
    settings.WAYOUT_PROVIDERS = [f"tests.billing.odd_providers.{odd}", "ledger"]
    call_command("check")
    err = capsys.readouterr().err
    assert said in err
    assert "a secret key" not in err


@pytest.mark.parametrize("name", ["ledger", "barter"])
def test_who_has_no_webhook_has_no_address(name: str) -> None:
    assert Client().post(f"/webhooks/{name}/", b"{}", content_type="application/json").status_code == 404


def test_a_provider_touches_its_module_its_tests_and_one_page() -> None:
    packages = [found.parent for found in ROOT.glob("*/apps.py")]
    named = {
        str(path.relative_to(ROOT))
        for package in packages
        for path in package.rglob("*")
        if path.suffix in (".py", ".html", ".txt", ".js") and re.search("stripe", path.read_text(), re.IGNORECASE)
    }
    documents = [path for path in Path(ROOT / "docs").glob("*.md") if "WAYOUT_STRIPE" in path.read_text()]
    assert {name.rpartition("/")[0] for name in named} == {"billing/providers/stripe"}
    assert [path.name for path in documents] == ["providers.md"]


def test_the_page_says_every_setting_of_those_that_are_built_in() -> None:
    page = (ROOT / "docs" / "providers.md").read_text()
    for found in providers.known().values():
        for setting in found.declares.settings:
            secret = ", secret" if setting.is_secret else ""
            needed = "needed" if setting.is_required else "optional"
            assert f"| `{setting.name}` | {setting.help} | {needed}{secret} |" in page
