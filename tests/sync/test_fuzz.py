"""Whatever comes in: never a traceback, and each row is applied or reported."""

from __future__ import annotations

import gzip
import json
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from subscriptions.directory import runs
from subscriptions.directory.reading import BodyRefused, Document, lines_of, unpacked
from subscriptions.directory.report import answer_of, problem_message
from tenants.people import SYSTEM
from tests.builders import NOW
from tests.sync.documents import body, open_run
from tests.sync.test_documents import CHARGE, S1, licenses, users
from tests.world import World

pytestmark = pytest.mark.django_db
GROUP = {"id": "g", "name": "All", "members": ["u0", "u1"], "licenses": ["s1"]}
WHOLE = {
    "asOf": NOW.isoformat(), "complete": ["licenses", "users"], "tenant": {"name": "Acme"}, "subscriptions": [S1],
    "charges": [CHARGE], "users": users(4), "groups": [GROUP], "licenses": licenses(4),
}  # fmt: skip
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=True), st.text(max_size=400), st.just("\x00"), st.just("🦉" * 90),
    st.sampled_from(["0001-01-01", "9999-12-31", "2026-11-25", "2026-11-25T10:00:00", "1e400", "-1", "99999999999999999999.99"]),
    st.lists(st.integers(), max_size=3), st.dictionaries(st.sampled_from(["group", "amount", "id"]), st.text(max_size=5), max_size=2),
)  # fmt: skip


def applied(world: World, content: bytes, *, in_lines: bool) -> Any:
    """The report of a document, which is rolled back; None where nothing of it is taken."""
    try:
        with transaction.atomic():
            run = open_run(world.tenant, in_lines=in_lines, now=NOW)
            document = Document(lines_of([content]), in_lines, ZoneInfo("Europe/Sofia"))
            report = runs.sync_now(run, document, caller=SYSTEM, now=NOW)
            transaction.set_rollback(True)
    except runs.DocumentRefused as error:
        return [problem_message(problem) for problem in error.problems] and None
    assert report.rows == report.created + report.changed + report.unchanged + report.older + report.left_out
    assert json.dumps(answer_of(report))
    return report


PATIENTLY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def again() -> World:
    """One for all examples of a test: each is rolled back."""
    return World.build()


@PATIENTLY
@given(data=st.data(), in_lines=st.booleans())
def test_mutated_bytes(again: World, data: st.DataObject, in_lines: bool) -> None:
    content = bytearray(body(WHOLE, in_lines=in_lines))
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=6)):
        content[at] = data.draw(st.integers(0, 255))
    applied(again, bytes(content), in_lines=in_lines)


@PATIENTLY
@given(data=st.data(), in_lines=st.booleans())
def test_half_a_document_takes_nobody_away(again: World, data: st.DataObject, in_lines: bool) -> None:
    content = body(WHOLE, in_lines=in_lines)
    report = applied(again, content[: data.draw(st.integers(0, len(content) - 1))], in_lines=in_lines)
    assert report is None or not report.removed


@PATIENTLY
@given(data=st.data())
def test_odd_values_anywhere(again: World, data: st.DataObject) -> None:
    document = json.loads(json.dumps(WHOLE))
    for _ in range(data.draw(st.integers(1, 4))):
        section = data.draw(st.sampled_from(["subscriptions", "charges", "users", "groups", "licenses", "tenant"]))
        row = document[section] if section == "tenant" else data.draw(st.sampled_from(document[section]))
        row[data.draw(st.sampled_from([*sorted(row), "other"]))] = data.draw(ODD)
    report = applied(again, json.dumps(document).encode(), in_lines=False)
    # NaN and halves of characters are no JSON.
    assert report is None or report.rows == 12


@PATIENTLY
@given(content=st.binary(min_size=1, max_size=300), cut=st.integers(1, 20))
def test_what_claims_to_be_gzip(content: bytes, cut: int) -> None:
    for packed in (content, gzip.compress(content)[:-cut], gzip.compress(content) + content[:5]):
        if packed.startswith(b"\x1f\x8b\x08") and packed is content:
            continue
        with pytest.raises(BodyRefused):
            list(unpacked(BytesIO(packed), is_gzip=True, limit=1_000))
    twice = gzip.compress(content) * 2
    assert b"".join(unpacked(BytesIO(twice), is_gzip=True, limit=1_000)) == content * 2
