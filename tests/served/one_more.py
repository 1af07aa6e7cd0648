"""Run in the copy that test_one_more.py makes, which has one more of each: that they work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.utils import translation

from billing import providers
from billing.providers import transfers
from billing.providers.base import Provider
from billing.providers.contract import ProviderContract
from desk.admin.forms import AttemptForm, CloseForm
from desk.admin.history import event_name
from desk.attempts import CallOutcome
from desk.services.requests import withdraw_callback
from subscriptions.models import Cancellation
from tenants.models import AuditEvent, User
from tests.builders import NOW
from tests.desk.test_desk import ask, claim, log
from tests.world import Api, World

CONFIRM = """mutation($input: ConfirmCallbackInput!) { confirmCallback(input: $input) {
  ... on ConfirmCallbackSuccess { callbackRequest { status } }
  ... on Problem { code message path } } }"""


@pytest.mark.django_db
def test_the_mutation_answers_with_the_error_in_the_new_language(world: World) -> None:
    with time_machine.travel(NOW, tick=False):
        request = ask(world)
        given = {"callbackId": f"cal_{request.pk}"}
        german = Api(world.admin, language="de")
        assert german(CONFIRM, input=given) == {"confirmCallback": {"callbackRequest": {"status": "NEW"}}}
        withdraw_callback(caller=world.caller(), callback_id=request.pk, language="de", now=NOW)
        assert german(CONFIRM, input=given)["confirmCallback"] == {
            "code": "CALLBACK_CLOSED",
            "message": "Diese Anfrage ist abgeschlossen: Niemand ruft an.",
            "path": ["input", "callbackId"],
        }


@pytest.mark.django_db
def test_the_outcome_is_offered_and_follows_its_row(world: World, agent: User) -> None:
    with translation.override("bg"):
        assert ("CUT_OFF", "връзката прекъсна") in AttemptForm().fields["outcome"].choices  # type: ignore[attr-defined]
    request = ask(world)
    assert claim(agent, request)
    noted = log(agent, request, CallOutcome("CUT_OFF"))
    assert noted
    assert (noted.status, noted.attempts, noted.next_attempt_at) == ("NEW", 0, NOW)
    assert event_name(AuditEvent.objects.latest("pk").action) == "called: cut off"


def test_the_reasons_are_offered() -> None:
    assert ("CUSTOMER_MOVED", "the customer moved") in CloseForm().fields["disposition"].choices  # type: ignore[attr-defined]
    assert ("MERGED", "merged with another company") in Cancellation._meta.get_field("feedback").choices  # type: ignore[operator]


def test_the_provider_is_chosen_by_its_name(settings: Any) -> None:
    settings.WAYOUT_PROVIDER = "transfers"
    providers.require_default()
    assert isinstance(providers.provider(providers.default_provider()), transfers.Transfers)


class TestTransfers(ProviderContract):
    @pytest.fixture
    def provider(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Provider:
        monkeypatch.setattr(transfers, "FOLDER", tmp_path)
        return providers.provider("transfers")
