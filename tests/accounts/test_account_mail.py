"""Mail that a web request asks for: no request waits for a mail server, and no link exists before it is sent."""

from __future__ import annotations

import json
import re
import time
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.core.mail.backends import locmem
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from outbox.mail import circuit
from outbox.models import Task
from outbox.worker import work_off
from tenants.callers import Role
from tenants.models import User
from tests.accounts.test_people import sign_in
from tests.outsiders import silent
from tests.world import PASSWORD, World

pytestmark = pytest.mark.django_db
RESET = "/accounts/password/reset/"


def asked() -> list[dict[str, Any]]:
    return list(Task.objects.filter(kind="mail.account").order_by("pk").values_list("payload", flat=True))


def links(message: EmailMessage) -> list[str]:
    return re.findall(r"http://testserver(/accounts/password/reset/key/\S+)", str(message.body))


def test_ten_resets_under_a_silent_mail_server_and_the_page_answers(world: World, settings: Any) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_TIMEOUT = "outbox.smtp.EmailBackend", "127.0.0.1", 0.2
    people = [world.person(Role.VIEWER) for _ in range(10)]
    with silent() as server:
        settings.EMAIL_PORT = server.port
        began = time.monotonic()
        for person in people:
            assert Client().post(RESET, {"email": person.email})["Location"] == RESET + "done/"
            assert Client().get("/accounts/login/").status_code == 200
        assert time.monotonic() - began < 5
        assert server.calls == []
        work_off()
        assert len(server.calls) == 1
    waiting = Task.objects.filter(kind="mail.account", status="WAITING", failures=0, outages=1)
    assert waiting.count() == 10
    # The server is back: everybody gets a link.
    circuit.worked()
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    waiting.update(run_at=timezone.now())
    work_off()
    assert sorted(message.to[0] for message in mail.outbox) == sorted(person.email for person in people)
    assert all(links(message) for message in mail.outbox)


@pytest.mark.parametrize("what", ["reset", "told"])
def test_mail_that_may_have_left_is_not_sent_again_by_itself(
    person: User, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    if what == "reset":
        Client().post(RESET, {"email": person.email})
    else:
        client, new = Client(), "another fine horse"
        sign_in(client, person)
        form = {"oldpassword": PASSWORD, "password1": new, "password2": new}
        client.post(reverse("account_change_password"), form)
    take = locmem.EmailBackend.send_messages

    def take_and_hang_up(self: Any, messages: Any) -> int:
        take(self, messages)
        raise ConnectionResetError

    monkeypatch.setattr(locmem.EmailBackend, "send_messages", take_and_hang_up)
    for days in range(3):
        work_off(lambda late=timedelta(days=days / 4): timezone.now() + late)
    assert len(mail.outbox) == 1
    assert Task.objects.get(kind="mail.account").status == "GIVEN_UP"


def test_what_is_kept_of_a_reset_opens_nothing(world: World, person: User) -> None:
    Client(headers={"Wayout-Locale": "bg"}).post(RESET, {"email": person.email})
    [kept] = asked()
    assert kept["user"] == person.pk
    assert person.email not in json.dumps(kept)
    assert "/accounts/" not in json.dumps(kept)
    work_off()
    [message] = mail.outbox
    [link] = links(message)
    key = link.rstrip("/").rpartition("-")[2]
    assert key not in json.dumps(asked())
    assert "парола" in message.body
    assert Client().get(link, follow=True).context["form"]


def test_a_reset_does_the_same_work_for_whoever_is_asked_for(person: User) -> None:
    statements = []
    for address in (person.email, "nobody@contoso.example"):
        with CaptureQueriesContext(
            connection,
        ) as captured:
            Client().post(RESET, {"email": address})
        statements.append([query["sql"].split(" ")[0] for query in captured])
    assert statements[0] == statements[1]
    work_off()
    assert [message.to for message in mail.outbox] == [[person.email], ["nobody@contoso.example"]]


@pytest.mark.parametrize("change", ["gone", "inactive", "late"])
def test_no_link_is_made_for_who_is_gone_or_that_nobody_waits_for(person: User, change: str) -> None:
    Client().post(RESET, {"email": person.email})
    clock = timezone.now
    match change:
        case "gone":
            person.delete()
        case "inactive":
            User.objects.update(is_active=False)
        case "late":
            clock = lambda: timezone.now() + timedelta(days=2)  # noqa: E731
    work_off(clock)
    assert mail.outbox == []
    assert Task.objects.get(kind="mail.account").status == "DONE"


def test_what_changed_in_an_account_is_told_by_the_worker(person: User, world: World) -> None:
    client = Client(headers={"User-Agent": "Firefox/1"}, REMOTE_ADDR="192.0.2.7")
    sign_in(client, person)
    new = "another fine horse"
    form = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    assert client.post(reverse("account_change_password"), form).status_code == 302
    assert mail.outbox == []
    [kept] = asked()
    assert kept["user"] == person.pk
    work_off()
    [message] = mail.outbox
    assert message.to == [person.email]
    assert "192.0.2.7" in message.body
    assert "Firefox/1" in message.body
