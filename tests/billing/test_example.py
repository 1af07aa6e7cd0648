"""The examples of providers outside of the tree: their own tests, and a refund that goes through one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from billing.models import Agreement, Refund
from billing.providers import problems
from outbox.worker import work_off
from tests.builders import NOW
from tests.kills.test_kills import ROOT
from tests.subscriptions.test_lifecycle import cancel
from tests.world import World

EXAMPLE = ROOT / "examples" / "provider"
AFTER = NOW + timedelta(hours=73)


@pytest.fixture
def service(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Chosen by its dotted path and settings alone."""
    monkeypatch.syspath_prepend(EXAMPLE)
    from fake_payouts import fake_payouts

    with fake_payouts() as server:
        settings.WAYOUT_PROVIDER = "wayout_payouts.Payouts"
        monkeypatch.setenv("WAYOUT_PAYOUTS_URL", server.url)
        monkeypatch.setenv("WAYOUT_PAYOUTS_KEY", "the key")
        monkeypatch.setenv("WAYOUT_PAYOUTS_WEBHOOK_SECRET", "the secret")
        yield server


@pytest.mark.long
def test_they_keep_what_providers_promise() -> None:
    """As their author runs the tests: nothing of our tests or settings is there."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("WAYOUT_", "DJANGO_", "PYTEST_"))
    }
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", "pyproject.toml", "-rfE"], cwd=EXAMPLE, capture_output=True, text=True,
        timeout=100, check=False, env={**environment, "PYTHONPATH": f"{EXAMPLE}{os.pathsep}{ROOT}"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "31 passed" in ran.stdout


def test_what_the_page_shows_stands_in_them() -> None:
    shown = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "providers.md").read_text(), re.DOTALL)
    code = "".join(path.read_text() for path in EXAMPLE.glob("*.py"))
    assert len(shown) == 6
    assert [block for block in shown if block not in code] == []
    # Whoever copies the first one has a provider.
    assert shown[0] == (EXAMPLE / "wayout_transfers.py").read_text()


@pytest.mark.django_db
def test_a_refund_goes_out_and_the_webhook_is_heard(service: Any, world: World) -> None:
    from test_payouts import said

    assert list(problems()) == []
    cancel(world, world.subscription())
    service.troubles.append("pending")
    work_off(lambda: AFTER)
    [refund] = Refund.objects.all()
    assert (refund.provider, refund.status) == ("payouts", "SUBMITTED")
    assert Agreement.objects.get().provider == "payouts"
    part = refund.parts.get()
    [payout] = service.payouts.values()
    assert (payout["minor_units"], payout["currency"]) == (part.amount, "EUR")
    body, headers = said({"key": part.key, "id": payout["id"], "status": "paid"})
    for address, status in (("ledger", 404), ("stripe", 400), ("payouts", 200)):
        answer = Client().post(f"/webhooks/{address}/", body, content_type="application/json", headers=headers)
        assert answer.status_code == status
    refund.refresh_from_db()
    assert refund.status == "SUCCEEDED"


@pytest.mark.django_db
def test_one_that_is_taken_away_is_waited_for(service: Any, world: World, settings: Any) -> None:
    from outbox.models import Task

    cancel(world, world.subscription())
    settings.WAYOUT_PROVIDER, settings.WAYOUT_STAFF_EMAIL = "ledger", ["staff@x.example"]
    work_off(lambda: AFTER)
    waiting = Task.objects.get(kind="refund.submit")
    assert (waiting.status, waiting.failures, waiting.outages) == ("WAITING", 0, 1)
    [mail] = Task.objects.filter(kind="mail.staff")
    assert "payouts is no provider here" in mail.payload["text"]
    settings.WAYOUT_PROVIDERS = ["wayout_payouts.Payouts"]
    work_off(lambda: AFTER + timedelta(hours=2))
    assert Refund.objects.get().status == "SUCCEEDED"
    assert len(service.payouts) == 1


@pytest.mark.django_db
def test_what_another_provider_says_of_a_refund_is_not_believed(service: Any, world: World) -> None:
    from test_payouts import said

    cancel(world, world.subscription())
    Refund.objects.update(provider="ledger")
    key = Refund.objects.get().parts.get().key
    body, headers = said({"key": key, "id": "po_9", "status": "failed", "reason": "no"})
    assert (
        Client().post("/webhooks/payouts/", body, content_type="application/json", headers=headers).status_code == 200
    )
    assert Refund.objects.get().parts.get().status == "WAITING"
