"""What a document says is on record afterwards, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from subscriptions.models import DirectoryGroup, DirectoryUser, License, Plan, Subscription
from tests.builders import NOW
from tests.sync.documents import codes, holders, send, send_long
from tests.world import World

pytestmark = pytest.mark.django_db

S1 = {
    "id": "s1",
    "product": "Office Suite",
    "status": "active",
    "seats": 40,
    "renews": True,
    "price": {"amount": "12.50", "currency": "EUR"},
    "period": 1,
    "term": 12,
    "endsAt": "2027-03-01T00:00:00+02:00",
}
CHARGE = {
    "id": "c1",
    "subscription": "s1",
    "seats": 40,
    "charged": "500.00",
    "tax": "100.00",
    "paid": "600.00",
    "currency": "EUR",
    "period": {"start": "2026-11-01", "end": "2026-12-01"},
}


def users(count: int, **given: Any) -> list[dict[str, Any]]:
    return [
        {"id": f"u{n}", "principalName": f"user{n}@x.example", "displayName": f"User {n}", **given}
        for n in range(count)
    ]


def licenses(count: int, subscription: str = "s1", **given: Any) -> list[dict[str, Any]]:
    return [{"subscription": subscription, "user": f"u{n}", **given} for n in range(count)]


def test_a_whole_document_comes_in_and_again_changes_nothing() -> None:
    world = World.build()
    document = {"subscriptions": [S1], "charges": [CHARGE], "users": users(32), "licenses": licenses(32)}
    report = send(world.tenant, document)
    assert (report.created, report.changed, report.left_out, report.problems) == (65, 1, 0, [])
    assert holders(world.tenant) == {"s1": 32}
    subscription = Subscription.objects.get(tenant=world.tenant)
    assert (subscription.unit_price, subscription.term_months, subscription.billed_months) == (1250, 12, 1)
    assert subscription.plan.display_name == "Office Suite"
    again = send(world.tenant, document, now=NOW + timedelta(minutes=1))
    assert (again.created, again.changed, again.removed) == (0, 0, 0)
    assert again.unchanged == 66


@pytest.mark.parametrize("in_lines", [False, True])
def test_complete_takes_away_who_is_absent(in_lines: bool) -> None:
    world = World.build()
    send(world.tenant, {"subscriptions": [S1], "users": users(30), "licenses": licenses(30)}, in_lines=in_lines)
    later = {"complete": ["licenses"], "licenses": licenses(24)}
    dry = send(world.tenant, later, now=NOW + timedelta(hours=1), in_lines=in_lines, dry_run=True)
    assert dry.removed == 6
    assert holders(world.tenant) == {"s1": 30}
    report = send(world.tenant, later, now=NOW + timedelta(hours=1), in_lines=in_lines)
    assert report.removed == 6
    assert holders(world.tenant) == {"s1": 24}


def test_groups_hand_out() -> None:
    world = World.build()
    group = {"id": "g1", "name": "Staff", "members": [f"u{n}" for n in range(5)], "licenses": ["s1"]}
    report = send(world.tenant, {"subscriptions": [S1], "users": users(8), "groups": [group], "licenses": licenses(2)})
    assert report.problems == []
    assert holders(world.tenant) == {"s1": 5}
    assert License.objects.filter(is_inherited=True).count() == 5
    fewer = {**group, "members": ["u0", "u7"]}
    send(world.tenant, {"groups": [fewer]}, now=NOW + timedelta(hours=1))
    # u1 keeps the direct one.
    assert holders(world.tenant) == {"s1": 3}
    again = send(world.tenant, {"groups": [fewer]}, now=NOW + timedelta(hours=2))
    assert (again.changed, again.unchanged) == (0, 1)
    send(world.tenant, {"complete": ["groups"], "groups": []}, now=NOW + timedelta(hours=3))
    assert holders(world.tenant) == {"s1": 2}
    assert not DirectoryGroup.objects.exists()


def test_names_that_move_between_people() -> None:
    world = World.build()
    send(
        world.tenant,
        {"users": [{"id": "a", "principalName": "one@x.example"}, {"id": "b", "principalName": "two@x.example"}]},
    )
    report = send(
        world.tenant,
        {"users": [{"id": "a", "principalName": "two@x.example"}, {"id": "b", "principalName": "one@x.example"}]},
        now=NOW + timedelta(hours=1),
    )
    assert report.changed == 2
    assert dict(DirectoryUser.objects.values_list("external_id", "principal_name")) == {
        "a": "two@x.example",
        "b": "one@x.example",
    }


def test_an_older_fact_never_overwrites_a_newer_one() -> None:
    world = World.build()
    send(world.tenant, {"users": users(2), "subscriptions": [S1]}, now=NOW + timedelta(hours=2))
    report = send(world.tenant, {"users": users(2, state="blocked")}, now=NOW + timedelta(hours=1))
    assert report.older == 2
    assert not DirectoryUser.objects.filter(is_blocked=True).exists()


def test_an_unknown_product_in_a_users_row_is_a_question() -> None:
    world = World.build()
    report = send(world.tenant, {"users": users(3, licenses=["Nonsense"])})
    assert codes(report.problems) == ["PRODUCT_UNKNOWN"]
    assert report.questions == {"Nonsense": 3}
    assert not Plan.objects.filter(name="Nonsense").exists()


def test_a_long_document_is_applied_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subscriptions.directory.staging.PIECE", 10)
    world = World.build()
    document = {
        "subscriptions": [S1],
        "charges": [CHARGE],
        "users": users(32),
        "licenses": licenses(32),
        "complete": ["licenses"],
    }
    dry = send_long(world.tenant, document, dry_run=True)
    assert (dry.state, dry.report["problems"]) == ("DONE", [])
    assert dry.report["created"] == 65
    assert not DirectoryUser.objects.exists()
    run = send_long(world.tenant, document)
    assert (run.state, run.pieces, run.cursor, run.rows) == ("DONE", 10, 10, 66)
    assert run.report["created"] == 65
    assert holders(world.tenant) == {"s1": 32}
    assert not run.stored.exists()
    fewer = {**document, "licenses": licenses(20)}
    later = NOW + timedelta(hours=1)
    assert send_long(world.tenant, fewer, dry_run=True, now=later).report["removed"] == 12
    assert send_long(world.tenant, fewer, now=later).report["removed"] == 12
    assert holders(world.tenant) == {"s1": 20}
