"""What whoever has a shell does to accounts is on the trail, and in the log, as what staff do."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command

from tenants.models import AuditEvent, User
from tenants.verification import verify
from tests.logs import kept_log

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_superuser_by_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "a long and good one")
    with kept_log() as log:
        call_command(
            "createsuperuser", username="boss", email="boss@wayout.example", interactive=False, stdout=StringIO()
        )
    boss = User.objects.get(username="boss")
    [event] = AuditEvent.objects.filter(tenant=None)
    assert (event.action, event.subject, event.actor_kind) == ("user.added", f"User:{boss.pk}", "SYSTEM")
    assert event.data == {"superuser": True}
    [line] = log.lines("wayout.security")
    assert (line["event"], line["subject"], line["who"]) == ("user.added", f"User:{boss.pk}", "system:0")
    assert "boss@" not in log.text

    monkeypatch.setattr("getpass.getpass", lambda *_, **__: "another long and good one")
    call_command("changepassword", "boss", stdout=StringIO())
    assert AuditEvent.objects.filter(tenant=None, action="user.password_set", subject=f"User:{boss.pk}").count() == 1
    assert not list(verify(None))
