"""What staff change by hand, in whichever form of the admin: it is on the trail, and overwrites nobody else's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
import time_machine
from django import forms
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from billing.models import PaymentMethod
from common.admin import ReadOnlyAdmin, _plain
from subscriptions.models import CancellationPolicy, Plan, Subscription
from tenants.callers import Role
from tenants.models import AuditEvent, AuditPersonalData, Membership, PartnerToken, Tenant, User
from tenants.verification import verify
from tests.admin.scenes import REGISTRY, client_of, furnished, tables
from tests.builders import NOW
from tests.world import World

pytestmark = [pytest.mark.long, pytest.mark.django_db, pytest.mark.usefixtures("frozen")]
ADMINS = {model_admin.opts.label: model_admin for model_admin in REGISTRY.values()}


@pytest.fixture(autouse=True)
def frozen() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def there(world: World, settings: Any) -> World:
    settings.WAYOUT_WEBHOOK_PRIVATE = False
    world = furnished(world)
    Group.objects.create(name="Auditors")
    return world


@pytest.fixture
def staff(world: World) -> User:
    return world.person(None, is_staff=True, is_superuser=True, first_name="Stella")


def address(label: str, page: str, *args: Any) -> str:
    return reverse(f"admin:{label.lower().replace('.', '_')}_{page}", args=args)


class Browser(HTMLParser):
    """What a browser sends of the forms of a page that nobody touched."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sent: dict[str, list[str]] = {}
        self._select = self._textarea = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        name, value = given.get("name") or "", given.get("value")
        if tag == "input" and name and given.get("type") not in ("submit", "button"):
            if given.get("type") not in ("checkbox", "radio") or "checked" in given:
                self._send(name, value or ("on" if given.get("type") == "checkbox" else ""))
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and "selected" in given:
            self._send(self._select, value or "")
        elif tag == "textarea":
            self._textarea = name
            self._send(name, "")

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.sent[self._textarea][-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag in ("select", "textarea"):
            self._select = self._textarea = ""

    def _send(self, name: str, value: str) -> None:
        self.sent.setdefault(name, []).append(value)


def page_of(client: Client, label: str, key: Any) -> tuple[dict[str, Any], Any]:
    """What the change page of a row would send, and its form."""
    page = client.get(address(label, "change", key))
    assert page.status_code == 200
    sent: dict[str, Any] = {
        name: values for name, values in Browser(page.text).sent.items() if "__prefix__" not in name
    }
    return sent, page.context["adminform"].form


def other_values(form: Any) -> Iterator[tuple[str, Any]]:
    """Fields of a form, each with a value that it does not have."""
    for name, field in form.fields.items():
        value = form.initial.get(name)
        if isinstance(field, forms.NullBooleanField):
            yield name, "false" if value is None else "unknown"
        elif isinstance(field, forms.BooleanField):
            yield name, [] if value else "on"
        elif isinstance(field, forms.ModelChoiceField):
            rows = {row.pk for row in field.queryset[:5]}
            held = {getattr(row, "pk", row) for row in value} if isinstance(value, list) else {value}
            if others := sorted(rows - held):
                yield name, others[:1]
        elif isinstance(field, forms.MultipleChoiceField):
            yield name, [code for code, _ in field.choices][: 1 if len(value or ()) > 1 else 2]
        elif isinstance(field, forms.ChoiceField):
            yield name, next(code for code, _ in field.choices if code and code != value)
        elif isinstance(field, forms.IntegerField):
            yield name, (value or 0) + 1
        elif type(field) is forms.CharField and not field.disabled:
            yield name, f"{value or ''}X"


def with_change_pages() -> list[str]:
    """The models whose rows have a form that a superuser may send."""
    return [
        label
        for label, model_admin in ADMINS.items()
        if type(model_admin).has_change_permission is not ReadOnlyAdmin.has_change_permission
    ]


@pytest.mark.parametrize("label", with_change_pages())
def test_every_form_leaves_old_and_new_values_on_the_trail(there: World, staff: User, label: str) -> None:
    client, model = client_of(staff), ADMINS[label].model
    key = model._default_manager.order_by("pk").first().pk
    tried = []
    for name, value in list(other_values(page_of(client, label, key)[1])):
        sent, form = page_of(client, label, key)
        before, old = AuditEvent.objects.count(), form.initial.get(name)
        answer = client.post(address(label, "change", key), {**sent, name: value})
        if answer.status_code != 302:
            continue  # for example a zone that is none
        tried.append(name)
        events = AuditEvent.objects.order_by("pk")[before:]
        assert len(events) == 1, (name, events)
        assert (events[0].at, events[0].actor_kind, events[0].actor_id) == (NOW, "STAFF", staff.pk)
        kept = {**events[0].data["changes"], **events[0].personal.data.get("changes", {})}
        assert set(kept) == {name}, name
        # What can be given once stands in no form afterwards.
        new = page_of(client, label, key)[1].initial.get(name, getattr(model._default_manager.get(pk=key), name, None))
        assert kept[name] == [said(old), said(new)], name
        assert said(old) != said(new)
    assert tried, f"no field of {label} was tried: teach other_values"
    assert list(verify(there.tenant.pk)) == list(verify(None)) == []


def said(value: Any) -> Any:
    """As the trail says it."""
    return json.loads(json.dumps(_plain(value), default=str))


@pytest.mark.parametrize("label", with_change_pages())
def test_no_form_overwrites_what_was_changed_since_it_was_shown(there: World, staff: User, label: str) -> None:
    client, model = client_of(staff), ADMINS[label].model
    key = model._default_manager.order_by("pk").first().pk
    mine, form = page_of(client, label, key)
    choices = list(other_values(form))
    for name, value in choices:
        theirs, _form = page_of(client, label, key)
        other = client_of(there.person(None, is_staff=True, is_superuser=True, username="meanwhile"))
        if other.post(address(label, "change", key), {**theirs, name: value}).status_code == 302:
            break
        User.objects.filter(username="meanwhile").delete()
    before = tables()
    answer = client.post(address(label, "change", key), mine)
    assert answer.status_code == 409
    assert "meanwhile" in answer.text
    assert tables() == before
    # Looked at again, it goes through.
    mine, _form = page_of(client, label, key)
    assert client.post(address(label, "change", key), mine).status_code == 302


def test_what_no_form_changed_is_not_overwritten_either(there: World, staff: User) -> None:
    client, row = client_of(staff), Subscription.objects.order_by("pk").first()
    assert row
    sent, _form = page_of(client, "subscriptions.Subscription", row.pk)
    # An import, for example.
    Subscription.objects.filter(pk=row.pk).update(renews=False, purchased_licenses=99)
    answer = client.post(address("subscriptions.Subscription", "change", row.pk), {**sent, "is_trial": "on"})
    assert answer.status_code == 409
    assert "Purchased licenses, Renews by itself" in answer.text
    row.refresh_from_db()
    assert (row.renews, row.purchased_licenses, row.is_trial) == (False, 99, False)
    # A page that does not say what it showed saves nothing.
    for shown in ("", "[]", "x", "7"):
        answer = client.post(address("subscriptions.Subscription", "change", row.pk), {**sent, "shown": shown})
        assert answer.status_code == 409


ADDED: dict[str, Any] = {
    "auth.Group": lambda w: {"name": "Readers"},
    "billing.BillingAccount": lambda w: {
        "tenant": Tenant.objects.create(name="New", domain="new.example").pk, "payment_methods_known": "on",
        "payment_methods-TOTAL_FORMS": "1", "payment_methods-INITIAL_FORMS": "0", "payment_methods-0-label": "Visa 1",
    },
    "subscriptions.CancellationPolicy": lambda w: {
        "name": "Strict", "online_license_limit": "5", "proration_convention": "SECOND", "tenant": "",
        "seen": json.dumps({"": CancellationPolicy.objects.get(tenant=None, in_force=True).pk}),
    },
    "subscriptions.Plan": lambda w: {"part_number": "NEW", "name": "New"},
    "tenants.Membership": lambda w: {"user": w.person(None).pk, "tenant": w.tenant.pk, "role": "VIEWER", "is_active": "on"},
    "tenants.PartnerToken": lambda w: {
        "name": "New", "scopes": ["READ"], "tenants": [w.tenant.pk], "max_role": "VIEWER",
    },
    "tenants.Tenant": lambda w: {
        "name": "New", "domain": "newer.example", "time_zone": "Europe/Sofia", "language": "en", "phone_region": "BG",
        "removals": "LOCAL", "memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0",
    },
    "tenants.User": lambda w: {
        "username": "new", "usable_password": "true", "password1": "another fine horse", "password2": "another fine horse",
    },
    "webhooks.Endpoint": lambda w: {
        "token": PartnerToken.objects.get().pk, "url": "https://partner.example/new", "language": "en",
    },
}  # fmt: skip


def test_what_is_added_is_on_the_trail(there: World, staff: User) -> None:
    client = client_of(staff)
    for label, model_admin in ADMINS.items():
        if client.get(address(label, "add")).status_code == 403:
            continue
        before, rows = AuditEvent.objects.count(), model_admin.model._default_manager.count()
        answer = client.post(address(label, "add"), ADDED[label](there))
        assert answer.status_code == 302, (label, answer.context["errors"] if answer.context else "")
        assert model_admin.model._default_manager.count() == rows + 1
        [event] = AuditEvent.objects.order_by("pk")[before:]
        assert event.subject.endswith(f":{model_admin.model._default_manager.latest('pk').pk}"), label
        assert event.actor_id == staff.pk
    assert list(verify(there.tenant.pk)) == list(verify(None)) == []


def test_what_is_deleted_is_on_the_trail_alone_and_among_many(there: World, staff: User) -> None:
    client = client_of(staff)
    Plan.objects.create(part_number="UNUSED"), Plan.objects.create(part_number="UNUSED2")
    deletable = {
        "auth.Group": list(Group.objects.all()),
        "subscriptions.Plan": list(Plan.objects.filter(part_number__startswith="UNUSED")),
        "tenants.Membership": [
            there.person(Role.VIEWER).memberships.get(),
            there.person(Role.VIEWER).memberships.get(),
        ],
        "tenants.User": [there.person(None), there.person(None)],
        "webhooks.Endpoint": list(ADMINS["webhooks.Endpoint"].model._default_manager.all()),
        "billing.BillingAccount": [],
    }
    first = {label: model_admin.model._default_manager.first().pk for label, model_admin in ADMINS.items()}
    for label, model_admin in ADMINS.items():
        if client.get(address(label, "delete", first[label])).status_code in (302, 403):
            continue
        rows = deletable[label]
        before = AuditEvent.objects.count()
        if rows:
            assert client.post(address(label, "delete", rows[0].pk), {"post": "yes"}).status_code == 302
        if rows[1:]:
            chosen = {"action": "delete_selected", "post": "yes", "_selected_action": [row.pk for row in rows[1:]]}
            assert client.post(address(label, "changelist"), chosen).status_code == 302
        subjects = [event.subject.partition(":")[2] for event in AuditEvent.objects.order_by("pk")[before:]]
        assert sorted(subjects) == sorted(str(row.pk) for row in rows), label
        assert not model_admin.model._default_manager.filter(pk__in=[row.pk for row in rows]).exists()


def test_a_person_who_is_deleted_leaves_their_roles_on_the_trails(there: World, staff: User) -> None:
    viewer = there.person(Role.VIEWER)
    client_of(staff).post(address("tenants.User", "delete", viewer.pk), {"post": "yes"})
    taken = AuditEvent.objects.get(action="membership.taken")
    assert (taken.tenant, taken.data["person"]) == (there.tenant, viewer.pk)
    assert AuditEvent.objects.get(action="user.deleted").tenant is None
    assert not Membership.objects.filter(user=viewer.pk).exists()


def test_what_a_token_may_more_is_on_the_trails_of_old_and_new_tenants(there: World, staff: User) -> None:
    other = World.build()
    token = PartnerToken.objects.get()
    sent, _form = page_of(client_of(staff), "tenants.PartnerToken", token.pk)
    wider = {**sent, "scopes": ["READ", "CANCEL"], "tenants": [other.tenant.pk]}
    assert client_of(staff).post(address("tenants.PartnerToken", "change", token.pk), wider).status_code == 302
    events = AuditEvent.objects.filter(action="token.changed").order_by("tenant_id")
    assert [event.tenant for event in events] == [there.tenant, other.tenant]
    for event in events:
        assert event.data["changes"] == {
            "scopes": [["WEBHOOKS"], ["CANCEL", "READ"]],
            "tenants": [[there.tenant.pk], [other.tenant.pk]],
        }


def test_rows_of_a_page_are_on_the_trail_and_guarded_as_its_fields(there: World, staff: User) -> None:
    client, account = client_of(staff), there.tenant.billing_account
    visa = account.payment_methods.get()
    where = address("billing.BillingAccount", "change", account.pk)
    stale, _form = page_of(client, "billing.BillingAccount", account.pk)
    sent = {
        **stale, "payment_methods-TOTAL_FORMS": "2", "payment_methods-0-label": "Visa 1111",
        "payment_methods-1-label": "Invoice", "payment_methods-1-is_active": "on", "payment_methods-1-account": account.pk,
    }  # fmt: skip
    assert client.post(where, sent).status_code == 302
    event = AuditEvent.objects.latest("pk")
    invoice = PaymentMethod.objects.latest("pk")
    assert event.data["changes"] == {f"paymentmethod {invoice.pk}.is_active": [None, True]}
    assert AuditPersonalData.objects.get(event=event).data["changes"] == {
        f"paymentmethod {visa.pk}.label": ["Visa 4242", "Visa 1111"],
        f"paymentmethod {invoice.pk}.label": [None, "Invoice"],
    }
    assert client.post(where, {**stale, "payment_methods-0-label": "Visa 2222"}).status_code == 409
    fresh, _form = page_of(client, "billing.BillingAccount", account.pk)
    assert client.post(where, {**fresh, "payment_methods-0-DELETE": "on"}).status_code == 302
    assert AuditEvent.objects.latest("pk").data["changes"] == {f"paymentmethod {visa.pk}.is_active": [True, None]}
    assert not PaymentMethod.objects.filter(pk=visa.pk).exists()


def test_names_and_addresses_stand_where_they_can_be_erased(there: World, staff: User) -> None:
    client = client_of(staff)
    sent, _form = page_of(client, "tenants.Tenant", there.tenant.pk)
    changed = {**sent, "billing_contact_email": "ada@contoso.example", "language": "bg"}
    client.post(address("tenants.Tenant", "change", there.tenant.pk), changed)
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.tenant) == ("tenant.changed", there.tenant)
    assert event.data == {"changes": {"language": ["en", "bg"]}, "personal": ["billing_contact_email"]}
    assert AuditPersonalData.objects.get(event=event).data["changes"] == {
        "billing_contact_email": ["", "ada@contoso.example"]
    }
    assert "ada@" not in client.get(address("tenants.Tenant", "history", there.tenant.pk)).text


def test_the_default_policy_has_its_versions_on_the_trail_of_the_installation(there: World, staff: User) -> None:
    client_of(staff).post(
        address("subscriptions.CancellationPolicy", "add"), ADDED["subscriptions.CancellationPolicy"](there)
    )
    event = AuditEvent.objects.get(action="policy.published")
    assert event.tenant is None
    assert (event.data["replaced"]["online_license_limit"], event.data["online_license_limit"]) == (25, 5)
    assert CancellationPolicy.objects.get(tenant=None, in_force=True).name == "Strict"
