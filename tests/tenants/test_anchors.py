"""Ends noted outside of the database: a chain that was made anew, as whole as it may be, is told by them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import structlog
from django.core.management import CommandError, call_command
from django.db import connection
from structlog.testing import capture_logs

from common.keys import current_id
from outbox.registry import periodic_work
from tenants import anchors as anchors_of_heads
from tenants.anchors import anchor_heads
from tenants.models import AuditEvent, AuditHead, AuditPersonalData, Tenant
from tenants.protection import protect, unprotect
from tests.builders import NOW
from tests.rotation import rotate
from tests.tenants.test_audit import write
from tests.world import World

pytestmark = pytest.mark.django_db


def check(path: Path, **options: str) -> str:
    out = io.StringIO()
    try:
        call_command("verify_audit", anchors=str(path), stdout=out, **options)
    except CommandError as error:
        out.write(str(error))
    return out.getvalue()


@pytest.fixture
def anchors(world: World, tmp_path: Path, settings: Any) -> Path:
    """Of a chain of three, and the installation's of two."""
    path = tmp_path / "anchors.jsonl"
    settings.WAYOUT_AUDIT_ANCHORS = str(path)
    write(world, 3, personal=None)
    write(None, 2, personal=None)
    assert anchor_heads(NOW) == 2
    return path


def cut(world: World, left: int) -> None:
    """As whoever owns the database can."""
    unprotect(connection)
    AuditEvent.objects.filter(tenant=world.tenant, position__gt=left).delete()
    last = AuditEvent.objects.get(tenant=world.tenant, position=left)
    AuditHead.objects.filter(tenant=world.tenant).update(position=left, hash=last.hash, anchored=0)
    protect(connection)


def test_what_was_noted_holds(world: World, anchors: Path) -> None:
    write(world, 2)
    assert "lines that hold: 2." in check(anchors)
    assert "The audit trail holds" in check(anchors)


def test_only_ends_that_moved_are_noted(world: World, anchors: Path) -> None:
    assert anchor_heads(NOW) == 0
    write(world, 1)
    assert anchor_heads(NOW) == 1
    assert len(anchors.read_text().splitlines()) == 3
    assert periodic_work()["anchor_heads"][0] is anchor_heads


def test_the_log_has_them_among_other_lines(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(world, 3)
    # One that has written before keeps where it wrote to.
    monkeypatch.setattr(anchors_of_heads, "logger", structlog.get_logger("wayout.audit"))
    with capture_logs() as logged:
        anchor_heads(NOW)
    log = tmp_path / "log"
    log.write_text("started\n{}\n[1]\n" + "".join(f"web-1 | {json.dumps(line)}\n" for line in logged))
    assert "lines that hold: 1." in check(log)
    log.write_text("started\n")
    assert "has no anchors" in check(log)
    assert "cannot be read" in check(tmp_path / "nothing")


def test_a_chain_that_was_cut_is_told(world: World, anchors: Path) -> None:
    cut(world, 2)
    assert f"{world.tenant.domain}, event 3: the chain is shorter" in check(anchors)
    write(world, 1)
    said = check(anchors)
    assert f"{world.tenant.domain}, event 3: another event is there" in said
    assert "does not hold. Breaks: 1." in said


def test_a_tenant_that_is_gone_is_told(world: World, anchors: Path) -> None:
    tenant = Tenant.objects.create(name="Contoso", domain="gone.example")
    gone = tenant.pk
    AuditHead.objects.create(tenant=tenant, position=7, hash="f" * 64)
    anchor_heads(NOW)
    unprotect(connection)
    AuditHead.objects.filter(tenant=gone).delete()
    tenant.delete()
    protect(connection)
    said = check(anchors)
    assert f"tenant {gone}, which is gone, event 7: the chain is shorter" in said
    assert "does not hold. Breaks: 1." in said
    said = check(anchors, tenant=world.tenant.domain)
    assert "which is gone" not in said
    assert "The audit trail holds. Chains: 1." in said


def test_an_anchor_of_other_tenants_is_one(world: World, anchors: Path) -> None:
    cut(world, 2)
    anchors.write_text(anchors.read_text().splitlines()[0])
    assert "has no anchors" not in check(anchors, tenant=World.build().tenant.domain)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("signature", "\ud800"),
        ("signature", "{key}:\ud800"),
        ("signature", "\x1b[2J"),
        ("at", "\ud800"),
        ("heads", [[None, 1, "\ud800"]]),
        ("heads", 7),
    ],
)
def test_a_line_that_nobody_can_have_written_is_told(anchors: Path, name: str, value: Any) -> None:
    line = json.loads(anchors.read_text().splitlines()[0])
    line[name] = value.replace("{key}", current_id()) if isinstance(value, str) else value
    anchors.write_text(json.dumps(line))
    assert "line 1: its signature is not ours" in check(anchors)


def test_what_begins_as_an_anchor_and_is_none_is_told(anchors: Path) -> None:
    line = anchors.read_text().splitlines()[0]
    anchors.write_text(line[:40] + "\n" + '{"heads": ' + "[" * 100_000)
    said = check(anchors)
    assert "line 1: it cannot be read" in said
    assert "line 2: it cannot be read" in said


@pytest.mark.parametrize(
    ("before", "behind"), [("web{1} | ", ""), ("", " {stdout}"), ('{"torn": [[1, {"heads": [', "")]
)
def test_an_anchor_is_found_among_what_carries_it(world: World, anchors: Path, before: str, behind: str) -> None:
    anchors.write_text(f"{before}{anchors.read_text().splitlines()[0]}{behind}\n")
    assert "lines that hold: 1." in check(anchors)


def test_a_line_that_was_changed_is_told(world: World, anchors: Path) -> None:
    line = json.loads(anchors.read_text().splitlines()[0])
    line["heads"][0][2] = "0" * 64
    anchors.write_text(json.dumps(line))
    assert "line 1: its signature is not ours" in check(anchors)


def test_a_line_whose_key_is_not_named_is_told(world: World, anchors: Path, settings: Any) -> None:
    rotate(settings)
    assert "lines that hold: 2." in check(anchors)
    settings.SECRET_KEY_FALLBACKS = []
    assert "is not named" in check(anchors)


def test_lines_are_short_and_cost_the_same(world: World, anchors: Path, django_assert_max_num_queries: Any) -> None:
    AuditHead.objects.bulk_create(
        AuditHead(tenant=World.build().tenant, position=10**6, hash="f" * 64) for _ in range(120)
    )
    with django_assert_max_num_queries(3 * 5 + 4):
        assert anchor_heads(NOW) == 120
    lines = anchors.read_text().splitlines()
    assert len(lines) == 5
    assert max(map(len, lines)) < 5000


def test_what_could_not_be_written_is_noted_the_next_time(world: World, anchors: Path, settings: Any) -> None:
    settings.WAYOUT_AUDIT_ANCHORS = str(anchors.parent)
    write(world, 1)
    with pytest.raises(OSError, match="directory"):
        anchor_heads(NOW)
    settings.WAYOUT_AUDIT_ANCHORS = ""
    assert anchor_heads(NOW) == 1


def test_the_command_notes_them_at_once(world: World, anchors: Path) -> None:
    write(world, 1)
    out = io.StringIO()
    call_command("verify_audit", anchor=True, stdout=out)
    assert "Ends noted: 2." in out.getvalue()
    AuditPersonalData.objects.all().delete()
    write(world, 1)
    with pytest.raises(CommandError):
        call_command("verify_audit", anchor=True, stdout=out)
    assert anchor_heads(NOW) == 1
