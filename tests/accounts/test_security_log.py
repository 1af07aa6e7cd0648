"""Security events in the log: what is said of whom, and that nothing else is: no name, address, number or link."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from desk.models import CallbackRequest
from outbox import registry
from outbox.mail import deliver
from outbox.queue import enqueue
from outbox.registry import RetryLater
from outbox.worker import work_off
from tenants.actions import Action
from tenants.callers import Scope
from tenants.models import PartnerToken, User
from tenants.people import SYSTEM, caller_of_staff
from tenants.security import _OF_TRAIL, SecurityEvent, unknown
from tenants.security import person as named
from tenants.tokens import create_token, revoke_token, rotate_token
from tests.accounts.test_people import code, sign_in
from tests.admin.test_admin import callback
from tests.graphql.documents import VIEWER
from tests.logs import Log, kept_log
from tests.subscriptions.test_lifecycle import cancel
from tests.world import PASSWORD, Api, World

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]
LOGIN = "/accounts/login/"
NEW = "another fine horse"


@pytest.fixture
def log() -> Iterator[Log]:
    with kept_log() as log:
        yield log


def test_signing_in_and_out_says_who_and_from_where(person: User, log: Log) -> None:
    client = Client(REMOTE_ADDR="198.51.100.7")
    sign_in(client, person)
    client.post(reverse("account_logout"))
    assert log.security() == [("sign_in.done", named(person.pk)), ("session.signed_out", named(person.pk))]
    first, second = log.lines("wayout.security")
    assert first["origin"] == second["origin"] != ""
    assert len(first["request_id"]) == 32
    assert (first["outcome"], first["level"]) == ("done", "info")
    sign_in(Client(REMOTE_ADDR="198.51.100.8"), person)
    assert log.lines("wayout.security")[-1]["origin"] != first["origin"]


def test_signing_in_by_the_api_is_the_same(person: User, log: Log) -> None:
    from tests.graphql.test_accounts import SIGN_IN, ask

    for kind in ("COOKIE", "TOKEN"):
        ask(Api(), SIGN_IN, name=person.username, password=PASSWORD, kind=kind)
    ask(Api(), SIGN_IN, name=person.username, password="wrong")
    who = named(person.pk)
    assert log.security() == [("sign_in.done", who), ("sign_in.done", who), ("sign_in.failed", who)]
    assert len({line["request_id"] for line in log.lines("wayout.security")}) == 3


def test_failures_and_waits_are_said_of_the_account_or_of_a_name_in_disguise(person: User, log: Log) -> None:
    for name, who in ((person.email, named(person.pk)), ("Nobody@x.example", unknown("nobody@x.example"))):
        for _ in range(7):
            Client().post(LOGIN, {"login": name, "password": "wrong"})
        assert log.security()[-7:] == [("sign_in.failed", who)] * 5 + [("sign_in.delayed", who)] * 2
    assert {line["level"] for line in log.lines("wayout.security")} == {"warning"}


def test_passwords(person: User, log: Log) -> None:
    who = named(person.pk)
    for address in (person.email, "nobody@x.example"):
        Client().post(reverse("account_reset_password"), {"email": address})
    assert log.security() == [("password.reset_asked", who), ("password.reset_asked", unknown("nobody@x.example"))]
    work_off()
    client, link = Client(), re.findall(r"/accounts/password/reset/key/\S+", mail.outbox[0].body)[0]
    form = client.get(link, follow=True).redirect_chain[-1][0]
    client.post(form, {"password1": NEW, "password2": NEW})
    sign_in(client, person, NEW)
    client.post(reverse("account_change_password"), {"oldpassword": NEW, "password1": PASSWORD, "password2": PASSWORD})
    assert [event for event, _ in log.security()[2:]] == ["password.reset", "sign_in.done", "password.changed"]
    assert {who for _, who in log.security()[2:]} == {who}


@pytest.mark.django_db(transaction=True)
def test_second_factors(person: User, log: Log) -> None:
    client = Client()
    sign_in(client, person)
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    page = client.get(reverse("mfa_activate_totp"))
    secret = page.context["form"].secret
    client.post(reverse("mfa_activate_totp"), {"code": code(secret)})
    codes = re.findall(r"[0-9a-f]{8}", client.get(reverse("mfa_view_recovery_codes")).text)
    other = Client()
    other.post(LOGIN, {"login": person.username, "password": PASSWORD})
    for said in ("000000", codes[0]):
        other.post(reverse("mfa_authenticate"), {"code": said})
    client.post(reverse("mfa_generate_recovery_codes"))
    client.post(reverse("mfa_deactivate_totp"))
    said = [event for event, who in log.security() if who == named(person.pk)]
    assert said == [
        "sign_in.done", "factor.added", "recovery_codes.made", "factor.failed", "recovery_codes.used", "sign_in.done",
        "recovery_codes.made", "factor.removed", "factor.removed",
    ]  # fmt: skip


def test_what_the_trail_has_of_rights_and_tokens_is_said_under_its_own_name(
    world: World, log: Log, django_capture_on_commit_callbacks: Any
) -> None:
    staff = world.person(None, is_staff=True)
    caller, now = caller_of_staff(staff), timezone.now()
    with django_capture_on_commit_callbacks(execute=True):
        token, _ = create_token(name="X", scopes=[Scope.READ], tenants=[world.tenant], caller=caller, now=now)
        rotate_token(token=token, overlap=timedelta(days=1), caller=caller, now=now)
        revoke_token(token=token, caller=SYSTEM, now=now)
    assert log.security() == [
        ("token.created", f"staff:{staff.pk}"), ("token.rotated", f"staff:{staff.pk}"),
        ("token.created", f"staff:{staff.pk}"), ("token.revoked", "system:0"),
    ]  # fmt: skip
    line = log.lines("wayout.security")[0]
    assert (line["subject"], line["tenant"]) == (f"PartnerToken:{token.pk}", world.tenant.pk)


def test_tokens_and_pages_that_are_refused(world: World, agent: User, log: Log) -> None:
    text = world.token(Scope.READ)
    PartnerToken.objects.update(revoked_at=timezone.now())
    key_id = PartnerToken.objects.get().key_id
    for token in (text, "wyo_live_typo", "somebody.elses.token"):
        Api(token=token).raw(VIEWER)
    client = Client(enforce_csrf_checks=True)
    client.force_login(agent)
    client.get("/admin/tenants/user/")
    client.post(reverse("account_logout"))
    found = [(event, who) for event, who in log.security() if event.endswith("refused")]
    assert found == [
        ("bearer.refused", f"token:{key_id}"), ("bearer.refused", ""), ("bearer.refused", ""),
        ("page.refused", named(agent.pk)), ("form.refused", named(agent.pk)),
    ]  # fmt: skip
    assert text not in log.text


def _tells(payload: dict[str, Any], now: Any) -> None:
    raise ValueError(payload["what"])


def test_a_days_log_names_nobody(world: World, person: User, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signing in, failing, resetting, canceling, a call, a page and a task that fail, and a value that is there twice."""
    typed, number = "Ivana.Marinova@Contoso.Example", "+359888123456"
    client = Client(raise_request_exception=False, REMOTE_ADDR="198.51.100.7")
    client.post(LOGIN, {"login": typed, "password": "secret word"})
    client.post(reverse("account_reset_password"), {"email": person.email})
    work_off()
    link = re.findall(r"/accounts/password/reset/key/(\S+?)/?\s", mail.outbox[0].body)[0]
    client.get(f"/accounts/password/reset/key/{link}/nothing-there")
    sign_in(client, person)
    client.get(f"/receipts/{number}/?name={typed}")
    cancel(world, world.subscription(3))
    called = callback(world)
    CallbackRequest.objects.update(contact_name=typed)
    now = timezone.now()
    monkeypatch.setitem(registry._handlers, "test.tells", _tells)
    enqueue(kind="test.tells", key="tells", payload={"what": f"{typed} {number}"}, run_at=now, now=now)
    work_off()

    def twice(*_: object, **__: object) -> None:
        User.objects.create(username=person.username, email=typed, phone=number)

    monkeypatch.setattr("portal.web.pages.identify", twice)
    from django.db import transaction

    with transaction.atomic():
        answer = client.get("/")
        transaction.set_rollback(True)
    assert answer.status_code == 500
    assert "IntegrityError" in log.text
    if connection.vendor == "postgresql":
        assert "23505 tenants_user_username_key" in log.text
    assert "ValueError" in log.text
    secrets = [typed, typed.lower(), number, person.username, person.email, person.last_name, "198.51.100.7"]
    secrets += [link, "secret word", PASSWORD, "DETAIL", called.phone, called.phone_as_typed, "Ада", world.admin.email]
    assert [secret for secret in secrets if re.search(rf"\b{re.escape(secret)}\b|{re.escape(secret)}", log.text)] == []


def test_without_a_mail_server_mail_waits_and_is_not_printed(settings: Any, capsys: Any) -> None:
    settings.EMAIL_BACKEND = "outbox.unsent.EmailBackend"
    with pytest.raises(RetryLater) as refused:
        deliver(EmailMessage("A link", "https://wayout.example/secret", to=["x@y.example"]))
    assert refused.value.outage
    assert capsys.readouterr().out == ""


def test_lines_of_django_have_the_number_of_their_request(log: Log) -> None:
    answer = Client().get("/nothing-there/")
    [line] = log.lines("django.request")
    assert (line["event"], line["request_id"]) == ("Not Found", answer["Wayout-Request-Id"])


def test_the_documentation_has_each_event_once() -> None:
    text = (ROOT / "docs" / "operations.md").read_text().partition("## Security events")[2].partition("\n## ")[0]
    listed = re.findall(
        r"`([a-z_]+\.[a-z_]+)`", "".join(line.split("|")[1] for line in text.splitlines() if line[:3] == "| `")
    )
    assert len(listed) == len(set(listed))
    assert set(listed) == {event.value for event in SecurityEvent} | {
        a.value for a in Action if a.startswith(_OF_TRAIL)
    }
