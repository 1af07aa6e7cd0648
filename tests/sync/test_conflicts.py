"""Two sides say different things: nothing is silently one's or the other's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from subscriptions.directory.licenses import remove_users
from subscriptions.directory.report import problem_message
from subscriptions.directory.sharing import hand_over, split_holders
from subscriptions.models import DirectoryUser, FactSource, License, Subscription
from tenants.models import AuditEvent
from tenants.people import SYSTEM
from tests.builders import NOW
from tests.subscriptions.test_lifecycle import cancel
from tests.sync.documents import codes, holders, send
from tests.sync.test_documents import CHARGE, S1, licenses, users
from tests.world import World
from webhooks.models import Event

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def world() -> World:
    world = World.build(external_id="acme")
    send(world.tenant, {"subscriptions": [S1], "charges": [CHARGE], "users": users(30), "licenses": licenses(30)})
    return world


def remove(world: World, *numbers: int, at: Any) -> None:
    subscription = Subscription.objects.get(tenant=world.tenant, external_id="s1")
    ids = [DirectoryUser.objects.get(tenant=world.tenant, external_id=f"u{n}").pk for n in numbers]
    remove_users(
        caller=world.caller(), subscription_id=subscription.pk, users=[(str(pk), pk) for pk in ids], dry_run=False,
        idempotency_key=None, language="en", now=at,
    )  # fmt: skip


def test_removed_here_and_still_assigned_after_the_grace_counts_again_and_is_said(world: World) -> None:
    remove(world, 0, 1, at=NOW + HOUR)
    assert holders(world.tenant) == {"s1": 28}
    soon = send(world.tenant, {"licenses": licenses(30)}, now=NOW + HOUR + timedelta(minutes=15))
    assert (holders(world.tenant), soon.counts["kept_removed"], soon.older) == ({"s1": 28}, 2, 2)
    later = send(world.tenant, {"licenses": licenses(30)}, now=NOW + HOUR + timedelta(minutes=15, seconds=1))
    assert holders(world.tenant) == {"s1": 30}
    assert codes(later.conflicts) == ["REMOVED_HERE", "REMOVED_HERE"]
    assert problem_message(later.conflicts[0]) == (
        "Removed here on 25 November 2026, the directory still assigns it: counted again."
    )
    event = AuditEvent.objects.get(action="removal.contradicted")
    assert (event.data["source"], len(event.data["licenses"])) == ("Host", 2)
    published = Event.objects.get(type="sync.conflict")
    assert published.data["assignedAgain"] == 2
    assert [user["externalId"] for user in published.data["users"]] == ["u0", "u1"]
    assert License.objects.filter(contradicted_at__isnull=False).count() == 2
    # Said once: it is on record as held now.
    assert send(world.tenant, {"licenses": licenses(30)}, now=NOW + 3 * HOUR).conflicts == []


def test_a_row_belongs_to_one_source_until_it_is_handed_over(world: World) -> None:
    report = send(
        world.tenant,
        {"users": users(2, state="blocked"), "subscriptions": [{**S1, "seats": 99}], "licenses": licenses(2)},
        source="other", now=NOW + HOUR,
    )  # fmt: skip
    assert codes(report.conflicts) == ["OTHER_SOURCE"] * 3
    # Both say that these are held.
    assert (report.left_out, report.unchanged, report.problems) == (3, 2, [])
    assert not DirectoryUser.objects.filter(is_blocked=True).exists()
    assert Subscription.objects.get(tenant=world.tenant).purchased_licenses == 40
    gone = send(world.tenant, {"complete": ["users", "licenses"]}, source="other", now=NOW + 2 * HOUR)
    assert (gone.removed, holders(world.tenant)) == (0, {"s1": 30})
    mine, other = (FactSource.objects.get(tenant=world.tenant, key=key) for key in ("host", "other"))
    assert hand_over(source=mine, to=other, caller=SYSTEM, language="en", now=NOW) == 61
    again = send(world.tenant, {"users": users(2, state="blocked")}, source="other", now=NOW + 3 * HOUR)
    assert again.changed == 2
    assert AuditEvent.objects.filter(action="source.handed_over", tenant=world.tenant).exists()


def test_what_was_canceled_here_is_not_brought_back(world: World) -> None:
    remove(world, *range(6), at=NOW)
    subscription = Subscription.objects.get(tenant=world.tenant)
    cancel(world, subscription)
    later = send(world.tenant, {"subscriptions": [{**S1, "seats": 50}]}, now=NOW + HOUR)
    assert codes(later.conflicts) == ["STOPPED_HERE"]
    after = Subscription.objects.get(pk=subscription.pk)
    assert (after.canceled_mode, after.ends_at, after.purchased_licenses) == ("IMMEDIATE", NOW, 40)


def test_a_product_that_was_bought_twice_counts_each_holder_for_each_until_staff_split(world: World) -> None:
    second = {**S1, "id": "s2", "seats": 20, "endsAt": "2027-06-01T00:00:00+03:00"}
    send(world.tenant, {"subscriptions": [second]}, now=NOW + HOUR)
    named = send(world.tenant, {"licenses": licenses(30, "Office  SUITE")}, now=NOW + 2 * HOUR)
    assert (named.problems, holders(world.tenant)) == ([], {"s1": 30, "s2": 30})
    assert Subscription.objects.filter(tenant=world.tenant, shares_licenses=True).count() == 2
    first = Subscription.objects.get(tenant=world.tenant, external_id="s1")
    filled = split_holders(subscription=first, caller=SYSTEM, language="en", now=NOW + 2 * HOUR)
    assert sorted(filled.values()) == [10, 20]
    assert holders(world.tenant) == {"s1": 10, "s2": 20}
    send(world.tenant, {"users": users(30, licenses=["Office Suite"])}, now=NOW + 3 * HOUR)
    assert holders(world.tenant) == {"s1": 10, "s2": 20}


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("Enabled", "ACTIVE"), ("active", "ACTIVE"), ("Warning", "SUSPENDED"), ("LockedOut", "SUSPENDED"),
        ("past_due", "SUSPENDED"), ("Suspended", "SUSPENDED"), ("Deleted", "DELETED"), ("Canceled", "DISABLED"),
    ],
)  # fmt: skip
def test_words_for_a_status(world: World, word: str, status: str) -> None:
    send(world.tenant, {"subscriptions": [{**S1, "status": word}]}, now=NOW + HOUR)
    assert Subscription.objects.get(tenant=world.tenant).base_status == status


def test_an_unknown_word_is_never_active(world: World) -> None:
    new = {**S1, "id": "s9", "status": "Grandfathered"}
    report = send(world.tenant, {"subscriptions": [new]}, now=NOW + HOUR)
    assert [(p.code, p.path) for p in report.problems] == [("UNKNOWN_WORD", "subscriptions[0].status")]
    assert not Subscription.objects.filter(external_id="s9").exists()
