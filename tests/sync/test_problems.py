"""The catalog of what can be wrong with facts: each example gives the code that it is of, where it says."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from subscriptions.directory.faults import Fault
from subscriptions.directory.licenses import remove_users
from subscriptions.models import DirectoryUser, Plan, Subscription
from tenants.callers import Scope
from tests.builders import NOW
from tests.subscriptions.test_lifecycle import cancel
from tests.sync.problems import BASE, ELSEWHERE, EXAMPLES, Before, Example, Kind, as_markdown
from tests.sync.test_http import Host
from tests.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    World.build(domain="brewery.example")
    Plan.objects.create(part_number="Brewing Kit", name="Brewing Kit")
    return World.build(external_id="bakery-1", domain="bakery.example")


def happen(before: Before, world: World) -> None:
    """What an example is sent after."""
    subscription, at = Subscription.objects.get(tenant=world.tenant), NOW - timedelta(minutes=90)
    if before is Before.CANCELED:
        cancel(world, subscription, at=at)
        return
    user = DirectoryUser.objects.get(tenant=world.tenant, external_id="u-1")
    remove_users(
        caller=world.caller(), subscription_id=subscription.pk, users=[("u-1", user.pk)], dry_run=False,
        idempotency_key=None, language="en", now=at,
    )  # fmt: skip


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.code}-{example.kind}")
def test_an_example_gives_its_code_where_it_says(example: Example, world: World) -> None:
    host = Host(world.installation_token(Scope.SYNC))
    for document in (BASE, *example.first):
        report = host.put("bakery-1", document).json()
        assert (report["problems"], report["conflicts"]) == ([], [])
    if example.before:
        happen(example.before, world)
    if example.by:
        host = Host(world.installation_token(Scope.SYNC))
    is_text = isinstance(example.sent, str)
    sent = example.sent.encode() if isinstance(example.sent, str) else example.sent
    answer = host.put(example.to, sent, in_lines=is_text and b"\n" in sent)
    found = answer.json()[Kind.PROBLEM if example.kind is Kind.REFUSED else example.kind]
    assert answer.status_code == example.status
    assert (example.code, example.path, example.line) in [(one["code"], one["path"], one["line"]) for one in found]


def test_each_code_has_an_example_or_says_where_it_comes_from() -> None:
    shown = [example.code for example in EXAMPLES] + [code for codes in ELSEWHERE.values() for code in codes]
    assert sorted(shown) == sorted(Fault)


def test_the_page_is_as_printed() -> None:
    page = Path(__file__).parents[2] / "docs" / "sync-problems.md"
    assert page.read_text() == as_markdown(), "run `make schema`"
