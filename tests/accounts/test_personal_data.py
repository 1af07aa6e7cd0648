"""What is kept of a person is exported whole, and erased whole: no column of any table holds them afterwards."""

from __future__ import annotations

import io
import json
import re
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import time_machine
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from common.personal import mentioning
from desk.models import CallbackAttempt, CallbackRequest, CallbackSource
from desk.services.requests import Wish, request_callback
from outbox.models import Task
from portal.accounts.personal import HOLDINGS, find
from subscriptions.models import Cancellation, DirectoryUser, License, Removal, RemovalRequest
from tenants.actions import Action
from tenants.audit import record
from tenants.callers import Role, Scope
from tenants.models import AuditEvent, AuditPersonalData, Invitation, Membership, Tenant, User, VouchedPerson
from tenants.people import SYSTEM, caller_of_person
from tenants.tokens import create_token
from tenants.verification import verify
from tests.accounts.test_people import code, sign_in, with_totp
from tests.admin.scenes import client_of
from tests.builders import NOW
from tests.subscriptions.test_lifecycle import cancel
from tests.world import PASSWORD, World
from webhooks.models import Endpoint

# The desk's services have transactions of their own.
pytestmark = [pytest.mark.django_db(transaction=True)]
NAME, USERNAME, ADDRESS, NUMBER = "Ивана Маркерова", "markerova", "ivana@marker.example", "+359888777666"
MARKERS = (NAME, "Маркерова", USERNAME, ADDRESS, NUMBER, "888777666", "888 777 666")
AGENT = "Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture(autouse=True)
def _frozen() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def ivana(world: World) -> User:
    """Somebody who did all that can be done, and whom others wrote about."""
    staff = world.person(None, is_staff=True, is_superuser=True)
    user = world.person(Role.GLOBAL_ADMIN, username=USERNAME, first_name="Ивана", last_name="Маркерова")
    User.objects.filter(pk=user.pk).update(email=ADDRESS, phone=NUMBER)
    user.refresh_from_db()
    user.set_password(PASSWORD)
    user.save()
    EmailAddress.objects.create(user=user, email="Ivana@Marker.example", primary=True, verified=True)
    SocialAccount.objects.create(
        user=user, provider="organization", uid="1", extra_data={"email": ADDRESS, "name": NAME}
    )
    client = Client(headers={"User-Agent": AGENT}, REMOTE_ADDR="198.51.100.7")
    secret = with_totp(user)
    sign_in(client, user)
    client.post(reverse("mfa_authenticate"), {"code": code(secret)})
    Client().post(reverse("account_reset_password"), {"email": ADDRESS})
    _acts(world, user)
    _is_written_about(world, user, staff)
    return user


def _acts(world: World, user: User) -> None:
    caller = world.caller(user)
    canceled = cancel(World(world.tenant, user), world.subscription(3))
    Cancellation.objects.filter(pk=canceled.pk).update(comment=f"{NAME} says: too dear", staff_reason=f"for {NAME}")
    for number, wish in enumerate((Wish("0888 777 666", NAME, "bg", "Europe/Sofia", None, f"ask for {NAME}"),) * 2):
        made = request_callback(
            caller=caller, subscription_id=world.subscription(25).pk, wish=wish, idempotency_key=f"k{number}",
            source=CallbackSource.GRAPHQL, language="en", now=NOW,
        ).request  # fmt: skip
        CallbackAttempt.objects.create(
            request=made, number=1, agent=user, started_at=NOW, ended_at=NOW, outcome="BUSY", note=f"{NAME} was out",
            counts=True,
        )  # fmt: skip
    token, _ = create_token(name="Partner", scopes=[Scope.READ], tenants=[world.tenant], caller=caller, now=NOW)
    VouchedPerson.objects.create(
        tenant=world.tenant, token=token, partner=token.partner, external_id=ADDRESS, name=NAME, email=ADDRESS.title(),
        phone=NUMBER, seen_at=NOW,
    )  # fmt: skip


def _is_written_about(world: World, user: User, staff: User) -> None:
    Tenant.objects.filter(pk=world.tenant.pk).update(billing_contact_name=NAME, billing_contact_email=ADDRESS.title())
    Invitation.objects.create(
        tenant=world.tenant, email=ADDRESS.title(), first_name="Ивана", last_name="Маркерова", role="VIEWER", language="bg",
        created_at=NOW, expires_at=NOW,
    )  # fmt: skip
    # With the billing contact there, it is mailed to.
    cancel(world, world.subscription(3))
    Endpoint.objects.create(
        partner="p", url="https://partner.example/", contact_email=ADDRESS, salt="x", created_at=NOW
    )
    held = world.assign(world.subscription(3), 1)[0]
    held.user.principal_name, held.user.display_name = ADDRESS.title(), NAME
    held.user.principal_key = ADDRESS
    held.user.save()
    asked = RemovalRequest.objects.create(tenant=world.tenant, subscription=held.subscription, requested_at=NOW)
    for license in (held, world.assign(held.subscription, 1)[0]):
        Removal.objects.create(
            request=asked, license=license, requested_at=NOW, decided_at=NOW, status="REFUSED", reason="OTHER",
            text=f"{NAME} is in a group",
        )  # fmt: skip
    admin = client_of(staff)
    page = reverse("admin:tenants_user_change", args=[user.pk])
    form = admin.get(page)
    sent = {
        **form.context["adminform"].form.initial,
        "first_name": "Ивана ",
        "shown": form.context["shown"],
        "seen": "0",
    }
    admin.post(page, {k: v for k, v in sent.items() if v not in (None, "") and not isinstance(v, list)})
    LogEntry.objects.create(
        user=staff, action_flag=2, object_repr=f"{USERNAME} · {NAME}", change_message=f"{ADDRESS} told"
    )
    membership = Membership.objects.get(user=user)
    role = reverse("admin:tenants_membership_change", args=[membership.pk])
    shown = admin.get(role).context
    admin.post(role, {"role": "VIEWER", "is_active": "on", "shown": shown["shown"], "seen": "0"})


def held() -> dict[str, str]:
    """Every column of every table that holds a marker, with what it holds."""
    found = {}
    for model in apps.get_models(include_auto_created=True):
        for row in model._default_manager.values():
            for column, value in row.items():
                said = value if isinstance(value, str) else json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False)
                if any(marker.casefold() in said.casefold() for marker in MARKERS):
                    found[f"{model._meta.label}.{column}"] = said
    return found


def personal_data(*given: str) -> str:
    out = io.StringIO()
    call_command("personal_data", *given, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize("by", ["id", "name", "address"])
def test_after_erasing_no_column_of_any_table_holds_the_person(
    world: World, ivana: User, tmp_path: Path, by: str
) -> None:
    who = {"id": str(ivana.pk), "name": USERNAME, "address": ADDRESS.upper()}[by]
    before = held()
    assert len(before) > 20
    file = tmp_path / "all.json"
    personal_data("--person", who, "--export", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    exported = json.loads(file.read_text())
    assert {kind for kind, rows in exported.items() if rows} == {one.kind for one in HOLDINGS}
    text = file.read_text()
    # Whatever a column holds of them is in the file, but for folded copies and for what other rows are called.
    texts = {at: json.dumps(said, ensure_ascii=False)[1:-1] for at, said in before.items() if said[0] not in "[{"}
    missing = {at for at, said in texts.items() if said not in text}
    assert missing <= {"subscriptions.DirectoryUser.principal_key", "subscriptions.DirectoryUser.search_key"}
    assert "password" not in exported["account"][0]
    assert "secret" not in text.lower().replace("secret key", "")

    tables = held()
    said = personal_data("--person", who, "--erase", "--open-too", "--dry-run")
    assert held() == tables
    assert "Would be erased: callback requests: 2" in said
    assert "Erased: account: 1" in personal_data("--person", who, "--erase", "--open-too")
    assert held() == {}
    with pytest.raises(CommandError, match="Nothing is kept"):
        personal_data("--person", ADDRESS, "--erase")


def test_what_has_to_be_kept_is_kept_and_the_trail_holds(world: World, ivana: User) -> None:
    events, licenses = AuditEvent.objects.count(), License.objects.count()
    canceled, requests = Cancellation.objects.count(), CallbackRequest.objects.count()
    personal_data("--person", USERNAME, "--erase", "--open-too")
    assert (Cancellation.objects.count(), CallbackRequest.objects.count()) == (canceled, requests)
    assert License.objects.count() == licenses
    assert DirectoryUser.objects.filter(principal_name__startswith="erased-").count() == 1
    assert AuditEvent.objects.count() > events
    assert [*verify(world.tenant.pk), *verify(None)] == []
    said = AuditEvent.objects.get(action="person.erased", subject=f"User:{ivana.pk}", tenant=None)
    assert said.data["rows"]["cancellations"] == 1
    assert AuditEvent.objects.filter(action="membership.taken", tenant=world.tenant).exists()
    of_tenant = AuditEvent.objects.filter(action="person.erased", tenant=world.tenant).get()
    assert of_tenant.data["erased"]


def test_where_somebody_worked_from_goes_too(world: World, ivana: User) -> None:
    """An address of the network names nobody, and is theirs all the same."""
    caller = replace(caller_of_person(ivana), address="198.51.100.9")
    with transaction.atomic():
        event = record(
            tenant_id=world.tenant.pk, at=timezone.now(), action=Action.DIRECTORY_IMPORTED, subject="Test:1",
            caller=caller, language="en", data={},
        )  # fmt: skip
    assert event.personal.data == {"address": "198.51.100.9"}
    personal_data("--person", USERNAME, "--erase", "--open-too")
    assert not AuditPersonalData.objects.filter(event=event).exists()


def test_nobody_is_erased_who_is_needed_or_waits_for_a_call(world: World, ivana: User) -> None:
    rows = held()
    last = User.objects.get(is_superuser=True)
    for dry_run in ([], ["--dry-run"]):
        with pytest.raises(CommandError, match="still waits for a call: R-"):
            personal_data("--person", USERNAME, "--erase", *dry_run)
        with pytest.raises(CommandError, match="last superuser"):
            personal_data("--person", last.username, "--erase", *dry_run)
    assert held() == rows


def test_somebody_without_an_account_is_found_by_address_or_number(world: World, ivana: User) -> None:
    User.objects.filter(pk=ivana.pk).update(email="x@y.example", phone="", username="x", first_name="", last_name="")
    EmailAddress.objects.all().delete()
    CallbackRequest.objects.update(requested_by_user=None)
    said = personal_data("--person", "0888 777 666", "--erase", "--open-too")
    assert "Erased: callback requests: 2" in said
    assert "account" not in said
    assert not CallbackRequest.objects.filter(phone=NUMBER).exists()
    said = personal_data("--person", ADDRESS, "--erase")
    for kind in ("directory users", "billing contact of", "webhook contacts", "tasks"):
        assert f"Erased: {kind}: " in said
    assert not Task.objects.filter(payload__to=ADDRESS).exists()
    assert User.objects.filter(pk=ivana.pk).exists()


def test_several_of_one_address_are_told_apart_by_id_and_a_file_is_not_overwritten(
    world: World, ivana: User, tmp_path: Path
) -> None:
    # Of those who are active there is one at the most.
    other = world.person(None, is_active=False)
    User.objects.filter(pk=other.pk).update(email=ADDRESS)
    with pytest.raises(CommandError, match=f"{ivana.pk}, {other.pk}"):
        personal_data("--person", ADDRESS, "--erase")
    file = tmp_path / "all.json"
    file.write_text("kept")
    with pytest.raises(CommandError, match="cannot be written"):
        personal_data("--person", USERNAME, "--export", str(file))
    assert file.read_text() == "kept"


def trail(data: dict[str, str], tenant: Tenant | None = None, subject: str = "Thing:1") -> int:
    """An event with this personal data; its id."""
    with transaction.atomic():
        record(
            tenant_id=tenant.pk if tenant else None, at=NOW, action=Action.CALLBACK_REQUESTED, subject=subject,
            caller=SYSTEM, language="en", data={}, personal=data,
        )  # fmt: skip
    return AuditPersonalData.objects.latest("pk").pk


def test_nobody_is_taken_for_somebody_whose_name_or_address_is_part_of_theirs(world: World, tmp_path: Path) -> None:
    ana = world.person(None, username="ana", first_name="Ana", last_name="Lee")
    User.objects.filter(pk=ana.pk).update(email="ana@contoso.example", phone="+359888777666")
    others = {
        "email": "ivana@contoso.example", "name": "Ivana Leeson", "near": "Ana Lee-Smith", "far": "ana@contoso.example.org",
        "text": "dr.ana@contoso.example, x-ana@contoso.example, +3598887776661, наAna Leeов",
    }  # fmt: skip
    kept = [trail({name: text}) for name, text in others.items()]
    gone = [
        trail({"to": "Ana@Contoso.example"}),
        trail({"note": "Write to ana@contoso.example.\nana@contoso.example"}),
        trail({"note": "line\nAna Lee"}),
        trail({"note": "(“ANA LEE”)"}),
        trail({"note": "mailto:ana@contoso.example"}),
    ]
    for number, text in enumerate(others.values()):
        Task.objects.create(kind="mail", key=f"t{number}", payload={"to": text}, run_at=NOW, created_at=NOW)
        LogEntry.objects.create(user=world.person(None), action_flag=2, object_repr=text, change_message="[]")
    personal_data("--person", "ana", "--export", str(tmp_path / "ana.json"))
    exported = json.loads((tmp_path / "ana.json").read_text())
    assert len(exported["audit_trail"]) == len(gone)
    personal_data("--person", "ana", "--erase")
    assert sorted(AuditPersonalData.objects.filter(pk__in=[*kept, *gone]).values_list("pk", flat=True)) == kept
    assert (Task.objects.count(), LogEntry.objects.count()) == (len(others), len(others))


def test_the_admins_history_is_read_as_it_is_written(world: World) -> None:
    ivana = world.person(None, first_name="Ивана", last_name="Маркерова")
    for said in (f"{NAME}\n", f"{NAME}та"):
        message = json.dumps([{"changed": {"name": "person", "object": said}}])
        LogEntry.objects.create(user=world.admin, action_flag=2, object_repr="-", change_message=message)
    personal_data("--person", str(ivana.pk), "--erase")
    assert LogEntry.objects.get().change_message == message


def test_however_many_are_found_the_statement_stays_as_long() -> None:
    tasks = [Task(kind="m", key=f"t{n}", payload={"to": ADDRESS}, run_at=NOW, created_at=NOW) for n in range(2_500)]
    Task.objects.bulk_create(tasks)
    found = Task.objects.filter(mentioning(Task.objects.all(), "payload", find(ADDRESS)))
    assert len(found.query.sql_with_params()[1]) == 1
    assert found.count() == 2_500


@pytest.mark.parametrize("who", ["@", "g@", "nobody", "77", "", "\udced\udca0\udc80", "@contoso.example"])
def test_what_is_no_id_name_address_or_number_is_refused(world: World, who: str) -> None:
    Task.objects.create(kind="mail", key="t", payload={"to": "billing@contoso.example"}, run_at=NOW, created_at=NOW)
    with pytest.raises(CommandError, match="neither an email address nor a phone number"):
        personal_data("--person", who, "--erase")
    with pytest.raises(CommandError, match="Nothing is kept"):
        personal_data("--person", "g@contoso.example", "--erase")
    assert Task.objects.exists()


def asked_by(world: World, user: User) -> CallbackRequest:
    """A request with Ivana's number."""
    wish = Wish(NUMBER, "Reception", "bg", "Europe/Sofia", None, "")
    return request_callback(
        caller=world.caller(user), subscription_id=world.subscription(25).pk, wish=wish, idempotency_key="r",
        source=CallbackSource.GRAPHQL, language="en", now=NOW,
    ).request  # fmt: skip


def test_by_the_number_of_an_account_nobody_elses_tenant_is_reached(world: World, ivana: User) -> None:
    elsewhere = World.build()
    theirs = asked_by(elsewhere, elsewhere.person(Role.GLOBAL_ADMIN))
    colleagues = asked_by(world, world.person(Role.GLOBAL_ADMIN))
    # Where a role was taken meanwhile, it is still theirs.
    client_of(User.objects.get(is_superuser=True)).post(
        reverse("admin:tenants_membership_delete", args=[ivana.memberships.get().pk]), {"post": "yes"}
    )
    assert not ivana.memberships.exists()
    personal_data("--person", USERNAME, "--erase", "--open-too")
    theirs.refresh_from_db()
    colleagues.refresh_from_db()
    assert (theirs.phone, theirs.erased_at, colleagues.phone) == (NUMBER, None, "")
    assert AuditPersonalData.objects.get(event__tenant=elsewhere.tenant, data__phone=NUMBER)
    # Without the account it is whoever has the number, and what would be reached is said before.
    CallbackRequest.objects.filter(pk=theirs.pk).update(status="WITHDRAWN", closed_at=NOW)
    assert f"These callback requests: {theirs.reference}\n" in personal_data("--person", NUMBER, "--erase", "--dry-run")


def test_an_account_is_found_by_its_number_too(world: World, ivana: User) -> None:
    assert "account: 1" in personal_data("--person", "+359 888 777666", "--erase", "--dry-run", "--open-too")
    other = world.person(None)
    User.objects.filter(pk=other.pk).update(phone="0888 777 666")
    with pytest.raises(CommandError, match=f"{ivana.pk}, {other.pk}"):
        personal_data("--person", NUMBER, "--erase")


@pytest.mark.parametrize("given", ["--dry-run", "--open-too"])
def test_what_goes_with_erasing_does_not_go_with_a_file(ivana: User, tmp_path: Path, given: str) -> None:
    with pytest.raises(CommandError, match="go with --erase"):
        personal_data("--person", USERNAME, "--export", str(tmp_path / "all.json"), given)
    assert not (tmp_path / "all.json").exists()


def test_the_documentation_says_of_each_kind_what_becomes_of_it() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text()
    section = text.partition("## When somebody asks for their data")[2].partition("\n## ")[0]
    listed = [
        kind
        for line in section.splitlines()
        if line[:3] == "| `"
        for kind in re.findall(r"`(\w+)`", line.split("|")[1])
    ]
    assert sorted(listed) == sorted(one.kind for one in HOLDINGS)
