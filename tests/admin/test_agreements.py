"""Staff write down who bills an agreement: through the service, with a trail, and never over somebody else's word."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from billing.models import Agreement
from outbox.worker import work_off
from subscriptions.policy.facts import Mode
from tenants.models import AuditEvent, User
from tests.admin.test_admin import agent, client_of
from tests.builders import NOW
from tests.graphql.test_access import everything
from tests.providers import TestProvider, used
from tests.subscriptions.test_lifecycle import cancel
from tests.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]


def page_of(agreement: Agreement) -> str:
    return reverse("admin:billing_agreement_change", args=[agreement.pk])


def save(client: Any, agreement: Agreement, external_id: str, seen: str = " ", provider: str = "stripe") -> Any:
    given = {"provider": provider, "external_id": external_id, "was": seen}
    return client.post(reverse("admin:billing_agreement_provider", args=[agreement.pk]), given, follow=True)


def test_an_agreement_is_found_by_the_number_that_reconcile_says(world: World, staff: User) -> None:
    other = world.subscription().agreement
    agreement = Agreement.objects.create(pk=987_654, account=other.account, currency="EUR")
    found = client_of(staff).get(reverse("admin:billing_agreement_changelist"), {"q": str(agreement.pk)})
    assert [one.pk for one in found.context["cl"].result_list] == [agreement.pk]
    assert f">{agreement.pk}</a>" in found.text


def test_an_untold_cancellation_says_so_on_its_page_and_is_told_once_the_id_is_there(
    world: World, staff: User, settings: Any
) -> None:
    settings.WAYOUT_PROVIDER = "stripe"
    with used(TestProvider()) as provider:
        subscription = world.subscription()
        client, agreement = client_of(staff), subscription.agreement
        assert "nobody could be told" not in client.get(page_of(agreement)).text
        cancel(world, subscription, Mode.AT_PERIOD_END)
        assert "nobody could be told" in client.get(page_of(agreement)).text
        page = save(client, agreement, " sub_1PqRsTuV ", seen="stripe ")
        assert "Written down." in page.text
        assert "nobody could be told" not in page.text
        work_off(lambda: NOW)
        assert provider.stopped == [("stop at period end", "sub_1PqRsTuV")]
    event = AuditEvent.objects.get(action="agreement.provider_set")
    assert (event.actor_id, event.data["before"]["external_id"]) == (staff.pk, "")
    for path in ("billing_agreement", "subscriptions_subscription"):
        found = client.get(reverse(f"admin:{path}_changelist"), {"q": "SUB_1pqrstuv"})
        assert found.context["cl"].result_count == 1
    link = client.get(reverse("admin:subscriptions_subscription_change", args=[subscription.pk])).text
    assert page_of(agreement) in link
    assert "sub_1PqRsTuV" in link


def test_what_somebody_else_wrote_meanwhile_stays(world: World, staff: User) -> None:
    agreement = world.subscription().agreement
    client = client_of(staff)
    save(client, agreement, "sub_11111111")
    answer = save(client, agreement, "sub_11111112")
    assert answer.status_code == 409
    assert staff.display_name in answer.text
    agreement.refresh_from_db()
    assert agreement.external_id == "sub_11111111"
    assert save(client, agreement, "sub_11111112", seen="stripe sub_11111111").status_code == 200
    agreement.refresh_from_db()
    assert agreement.external_id == "sub_11111112"


def test_an_id_that_was_told_already_is_pointed_at(world: World, staff: User) -> None:
    agreement = world.subscription().agreement
    Agreement.objects.filter(pk=agreement.pk).update(
        provider="stripe", external_id="sub_11111111", confirmed_stop="AT_PERIOD_END"
    )
    page = save(client_of(staff), agreement, "sub_11111112", seen="stripe sub_11111111")
    assert "Look at sub_11111111: it was told to stop" in page.text


@pytest.mark.parametrize(
    ("provider", "external_id", "said"),
    [
        ("ledger", "sub_11111111", "bills nothing here"),
        ("", "sub_11111111", "bills nothing here"),
        ("stripe", "cus_1", "copy its id from there"),
        ("stripe", "", "copy its id from there"),
        ("stripe", "sub_" + "x" * 200, "copy its id from there"),
        ("stripe", "sub_takenTaken", "another subscription"),
    ],
)
def test_a_wrong_id_is_said_and_what_was_typed_is_kept(
    world: World, staff: User, provider: str, external_id: str, said: str
) -> None:
    taken = world.subscription().agreement
    Agreement.objects.filter(pk=taken.pk).update(provider="stripe", external_id="sub_takenTaken")
    agreement = world.subscription().agreement
    before = everything()
    page = save(client_of(staff), agreement, external_id, provider=provider)
    assert said in page.text
    assert f'value="{external_id}"' in page.text
    assert everything() == before


def test_without_the_permission_nothing_moves(world: World) -> None:
    agreement = world.subscription().agreement
    client = client_of(agent(world, "view_agreement"))
    before = everything()
    assert save(client, agreement, "sub_11111111").status_code == 403
    assert "Who bills it" not in client.get(page_of(agreement)).text
    assert client.get(reverse("admin:billing_agreement_provider", args=[agreement.pk])).status_code in (302, 403)
    assert everything() == before
