"""PUT /sync/tenants/<externalId>, as a host's program does it."""

from __future__ import annotations

import gzip
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from billing.models import Charge
from subscriptions.directory import work
from subscriptions.models import DirectoryUser, Subscription, SyncRun
from tenants.callers import Scope
from tenants.models import AuditEvent, Tenant
from tenants.people import SYSTEM
from tenants.tokens import create_token
from tests.builders import NOW
from tests.sync.documents import body
from tests.sync.test_documents import S1, licenses, users
from tests.world import World

pytestmark = pytest.mark.django_db


class Host:
    """A program of the host with a token."""

    def __init__(self, token: str) -> None:
        self.client, self.headers = Client(), {"Authorization": f"Bearer {token}"}

    def put(
        self, external_id: str, document: Any, *, in_lines: bool = False, packed: bool = False, query: str = "",
        kind: str | None = None, **headers: str,
    ) -> Any:  # fmt: skip
        content = document if isinstance(document, bytes) else body(document, in_lines=in_lines)
        said = {"Content-Encoding": "gzip"} if packed else {}
        with time_machine.travel(NOW, tick=False):
            return self.client.put(
                f"/sync/tenants/{external_id}{query}",
                gzip.compress(content) if packed else content,
                content_type=kind or ("application/x-ndjson" if in_lines else "application/json"),
                headers={**self.headers, **said, **headers},
            )

    def run_of(self, answer: Any) -> Any:
        return self.client.get(answer["Location"], headers=self.headers)


@pytest.fixture
def world() -> World:
    return World.build(external_id="acme")


@pytest.fixture
def host(world: World) -> Host:
    return Host(world.token(Scope.SYNC))


def document(count: int = 3, **given: Any) -> dict[str, Any]:
    return {
        "asOf": NOW.isoformat(), "subscriptions": [S1], "users": users(count), "licenses": licenses(count), **given,
    }  # fmt: skip


@pytest.mark.parametrize(("in_lines", "packed"), [(False, False), (False, True), (True, False), (True, True)])
def test_a_short_document_is_answered_with_its_report(host: Host, world: World, in_lines: bool, packed: bool) -> None:
    answer = host.put("acme", document(), in_lines=in_lines, packed=packed)
    assert answer.status_code == 200
    report = answer.json()
    assert (report["rows"], report["created"], report["problems"]) == (7, 7, [])
    assert Subscription.objects.get(tenant=world.tenant).external_id == "s1"
    event = AuditEvent.objects.get(action="directory.imported")
    assert (event.actor_kind, event.data["source"]) == ("PARTNER", "Partner")
    run = SyncRun.objects.get()
    assert (run.state, run.rows, run.source.name) == ("DONE", 7, "Partner")


def test_a_dry_run_changes_nothing(host: Host) -> None:
    answer = host.put("acme", document(), query="?dryRun=true")
    assert (answer.status_code, answer.json()["created"]) == (200, 7)
    assert not DirectoryUser.objects.exists()
    assert not SyncRun.objects.exists()


def test_a_long_document_is_a_run(host: Host, world: World) -> None:
    answer = host.put("acme", document(1_200), in_lines=True, packed=True)
    assert answer.status_code == 202
    assert host.run_of(answer).json()["state"] == "RECEIVED"
    second = host.put("acme", document())
    assert (second.status_code, second.json()["problems"][0]["code"]) == (409, "SYNC_RUNNING")
    assert int(second["Retry-After"]) > 0
    with time_machine.travel(NOW, tick=False):
        work.work_on(SyncRun.objects.get().pk, caller_of=lambda _: SYSTEM, until=NOW + timedelta(minutes=1))
    said = host.run_of(answer).json()
    assert (said["state"], said["report"]["created"], said["progress"]["rows"]) == ("DONE", 2_401, 2_401)
    other = Host(world.token(Scope.SYNC))
    assert other.run_of(answer).status_code == 404


REFUSED: dict[str, tuple[Any, int, str, str]] = {
    "not JSON": (b"{", 400, "UNREADABLE", ""),
    "NaN": (b'{"asOf": NaN}', 400, "UNREADABLE", ""),
    "a list": (b"[]", 400, "NOT_AN_OBJECT", ""),
    "no asOf": ({"users": []}, 400, "MISSING", "asOf"),
    "tomorrow": ({"asOf": (NOW + timedelta(days=1)).isoformat()}, 400, "IN_THE_FUTURE", "asOf"),
    "complete charges": ({"asOf": NOW.isoformat(), "complete": ["charges"]}, 400, "NEVER_COMPLETE", "complete[0]"),
    "deep": (b"[" * 100_000, 400, "UNREADABLE", ""),
    "twice": (b'{"asOf": "2026-01-01T00:00:00Z", "asOf": "2026-01-02T00:00:00Z"}', 400, "UNREADABLE", ""),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_document(host: Host, name: str) -> None:
    sent, status, code, path = REFUSED[name]
    answer = host.put("acme", sent)
    problem = answer.json()["problems"][0]
    assert (answer.status_code, problem["code"], problem["path"]) == (status, code, path)
    assert problem["message"]
    assert not SyncRun.objects.exists()
    bulgarian = host.put("acme", sent, **{"Accept-Language": "bg"}).json()["problems"][0]
    assert bulgarian["message"] != problem["message"]


def test_what_unpacks_to_too_much(host: Host, settings: Any) -> None:
    settings.WAYOUT_SYNC_MAX_BYTES = 1_000_000
    for in_lines in (True, False):
        answer = host.put("acme", b" " * 2_000_000, in_lines=in_lines, packed=True)
        assert (answer.status_code, answer.json()["problems"][0]["code"]) == (413, "TOO_LARGE")
    assert not SyncRun.objects.exists()
    assert host.put("acme", b"not gzip", **{"Content-Encoding": "gzip"}).json()["problems"][0]["code"] == "UNREADABLE"
    assert host.put("acme", b"x", **{"Content-Encoding": "br"}).status_code == 415
    assert host.put("acme", b"x", kind="text/csv").status_code == 415


def test_who_may_send(world: World, host: Host) -> None:
    other = World.build(external_id="other")
    for token, external_id, status, code in (
        ("wrong", "acme", 401, "NOT_AUTHENTICATED"),
        (world.token(Scope.READ), "acme", 403, "NOT_PERMITTED"),
        (world.token(Scope.SYNC), "other", 404, "NOT_FOUND"),
        (world.token(Scope.SYNC), "nobody", 404, "NOT_FOUND"),
    ):
        answer = Host(token).put(external_id, document())
        assert (answer.status_code, answer.json()["problems"][0]["code"]) == (status, code)
    assert Host(other.token(Scope.SYNC)).put("other", document()).status_code == 200
    assert Client().get("/sync/tenants/acme").status_code == 405


def test_a_token_of_the_installation_brings_customers(db: None) -> None:
    _, text = create_token(
        name="Portal", scopes=[Scope.SYNC], of_installation=True, expires_at=NOW + timedelta(days=90), caller=SYSTEM,
        now=NOW,
    )  # fmt: skip
    host = Host(text)
    answer = host.put("new", document())
    assert (answer.status_code, answer.json()["problems"][0]["code"]) == (400, "TENANT_UNKNOWN")
    tenant = {"name": "New Co", "domain": "New.example", "timeZone": "Europe/Paris", "language": "bg"}
    assert host.put("new", document(tenant=tenant), query="?dryRun=true").status_code == 200
    assert not Tenant.objects.filter(external_id="new").exists()
    assert host.put("new", document(tenant=tenant)).status_code == 200
    made = Tenant.objects.get(external_id="new")
    assert (made.name, made.domain, made.time_zone, made.language) == ("New Co", "new.example", "Europe/Paris", "bg")
    taken = host.put("newer", document(tenant=tenant))
    assert taken.json()["problems"][0]["code"] == "DOMAIN_TAKEN"
    long = host.put("big", document(1_100, tenant={"name": "Big", "domain": "big.example"}), in_lines=True)
    assert long.status_code == 202


def test_a_broken_line_in_the_middle(host: Host, world: World) -> None:
    lines = body(document(40), in_lines=True).split(b"\n")
    lines[20] = lines[20][:-5]
    answer = host.put("acme", b"\n".join(lines), in_lines=True).json()
    assert next((p["line"], p["code"]) for p in answer["problems"]) == (21, "UNREADABLE")
    # Whose line was broken holds nothing, and all others do.
    assert answer["rows"] == answer["created"] + answer["leftOut"]
    assert DirectoryUser.objects.filter(tenant=world.tenant).count() == 39


def test_days_are_those_of_the_zone_that_the_document_says(host: Host, world: World) -> None:
    charge = {"id": "c1", "subscription": "s1", "charged": "1.00", "paid": "1.00", "currency": "EUR", "period": {"start": "2026-11-01", "end": "2026-12-01"}}  # fmt: skip
    sent = document(charges=[charge], tenant={"timeZone": "America/New_York"})
    for _ in range(2):
        report = host.put("acme", sent).json()
        assert report["problems"] == []
    assert Charge.objects.get().period_start.isoformat() == "2026-11-01T04:00:00+00:00"


def test_a_long_document_that_is_refused_brings_no_customer(db: None, settings: Any) -> None:
    settings.WAYOUT_SYNC_MAX_BYTES = 1_000_000
    _, text = create_token(
        name="Portal", scopes=[Scope.SYNC], of_installation=True, expires_at=NOW + timedelta(days=90), caller=SYSTEM,
        now=NOW,
    )  # fmt: skip
    host, tenant = Host(text), {"name": "Big", "domain": "big.example"}
    too_large = host.put("big", document(20_000, tenant=tenant), in_lines=True)
    assert too_large.status_code == 413
    dry = host.put("big", document(1_100, tenant=tenant), in_lines=True, query="?dryRun=true")
    assert (dry.status_code, dry.json()["problems"][0]["code"]) == (400, "TENANT_NEEDED")
    assert not Tenant.objects.exists()
    settings.WAYOUT_SYNC_MAX_BYTES = 20_000_000
    long = host.put("big", document(30_000, tenant=tenant))
    assert (long.status_code, Tenant.objects.get().external_id) == (202, "big")


def test_what_stands_instead_of_a_head_is_said(host: Host) -> None:
    for sent, in_lines, code in (
        (b'{"asOf": "25.11.2026"}', False, "NOT_A_DATE"),
        (b'{\n  "asOf": "2026-11-25T10:00:00Z"\n}', True, "UNREADABLE"),
    ):
        answer = host.put("acme", sent, in_lines=in_lines)
        assert (answer.status_code, answer.json()["problems"][0]["code"]) == (400, code)


def test_runs_and_their_reports_are_forgotten(host: Host) -> None:
    host.put("acme", document())
    assert work.forget_runs(NOW + timedelta(days=90)) == 0
    assert work.forget_runs(NOW + timedelta(days=90, seconds=1)) == 1
