"""Whoever does not call reads no number: in lists, cases, searches, exports, nor in the trail."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.urls import NoReverseMatch, reverse

from desk.models import CallbackRequest
from tenants.models import AuditEvent, User
from tests.admin.scenes import REGISTRY, client_of, furnished, member, who_looks
from tests.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]
# As it is kept, typed, and written for people.
NUMBERS = ("888123451", "888 123451", "88 812 3451", "87651234", "877000001")
ALSO = [
    ("admin:desk_callbackrequest_reports", {}), ("admin:desk_callbackrequest_reports", {"format": "csv", "days": "7"}),
    ("admin:billing_refund_export", {}), ("admin:desk_callbackrequest_changelist", {"q": "contoso"}),
    ("admin:desk_callbackrequest_changelist", {"queue": "all"}),
]  # fmt: skip


@pytest.fixture
def numbered(world: World) -> World:
    furnished(world)
    CallbackRequest.objects.update(phone_extension="87651234")
    User.objects.filter(pk=world.admin.pk).update(phone="+359877000001")
    return world


def shown(client: Any) -> dict[str, str]:
    """Every page of the admin that shows something, by its address."""
    addresses = [(reverse(name), asked) for name, asked in ALSO]
    for model in REGISTRY:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        addresses.append((reverse(f"{name}_changelist"), {}))
        for row in model._default_manager.all():
            for page in ("change", "history"):
                try:
                    addresses.append((reverse(f"{name}_{page}", args=[row.pk]), {}))
                except NoReverseMatch:
                    continue
    return {f"{address} {asked}": client.get(address, asked).content.decode() for address, asked in addresses}


def test_who_only_looks_reads_no_number_anywhere(numbered: World) -> None:
    looks = who_looks(numbered)
    looks.user_permissions.remove(Permission.objects.get(codename="view_auditpersonaldata"))
    pages = shown(client_of(looks))
    assert len(pages) > 100
    found = {address: number for address, page in pages.items() for number in NUMBERS if number in page}
    assert found == {}


def test_the_trail_says_which_personal_data_there_is_and_shows_it_to_who_may_see_it(numbered: World) -> None:
    event = AuditEvent.objects.filter(action="callback.requested").earliest("pk")
    page = reverse("admin:tenants_auditevent_change", args=[event.pk])
    looks = member(numbered, Permission.objects.get(codename="view_auditevent"))
    masked = client_of(looks).get(page).text
    assert "+359888123451" not in masked
    assert "Ада" not in masked
    assert "&quot;phone&quot;: &quot;***&quot;" in masked
    looks.user_permissions.add(Permission.objects.get(codename="view_auditpersonaldata"))
    assert "+359888123451" in client_of(looks).get(page).text


def test_who_has_claimed_it_reads_number_and_extension(numbered: World) -> None:
    agent = member(numbered, *Permission.objects.filter(codename__in=["work_callbacks", "view_callbackrequest"]))
    client, [request] = client_of(agent), CallbackRequest.objects.filter(closed_at=None)
    page = reverse("admin:desk_callbackrequest_change", args=[request.pk])
    assert "87651234" not in client.get(page).text
    client.post(reverse("admin:desk_callbackrequest_claim", args=[request.pk]))
    text = client.get(page).text
    assert "+359 88 812 3451" in text
    assert "87651234" in text


@pytest.mark.parametrize(
    "address",
    [
        "desk/callbackrequest/?queue=all&phone__startswith=%2B359", "desk/callbackrequest/?phone_as_typed__contains=0",
        "desk/callbackrequest/?note__contains=a", "tenants/user/?phone__startswith=%2B", "tenants/user/?password__regex=.",
        "outbox/task/?payload__to__startswith=a", "webhooks/endpoint/?secrets__startswith=a",
        "tenants/auditevent/?personal__data__contains=a",
    ],
)  # fmt: skip
def test_nothing_that_is_hidden_is_found_out_by_filters(numbered: World, address: str) -> None:
    assert client_of(who_looks(numbered)).get(f"/admin/{address}").status_code == 400
