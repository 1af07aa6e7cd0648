"""Each app declares its events, and everything that lists them is made of that."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from common.codes import CodeTable
from portal.graphql.schema import schema
from webhooks import kinds
from webhooks.admin import EndpointForm

PAGE = Path(__file__).resolve().parents[2] / "docs" / "events.md"


def test_the_page_for_partners_lists_every_kind_and_no_other() -> None:
    told = re.findall(r"^\| `([a-z]+\.[a-z_]+)` \|", PAGE.read_text(), re.MULTILINE)
    assert told == [kind.value for kind in kinds.known_kinds().values()]


def test_the_api_and_the_admin_offer_every_kind() -> None:
    assert list(schema._schema.type_map["WebhookEventType"].values) == list(kinds.known_kinds())  # type: ignore[attr-defined]
    offered = EndpointForm().fields["events"].choices  # type: ignore[attr-defined]
    assert [value for value, _label in offered] == [kind.value for kind in kinds.known_kinds().values()]


def test_a_kind_is_declared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Left(CodeTable):
        description: str

        LEFT = "customer.left", "Somebody left."

    monkeypatch.setattr(kinds, "_kinds", {"LEFT": Left.LEFT})

    class Gone(CodeTable):
        description: str

        GONE = "customer.left", "Somebody is gone."

    with pytest.raises(ValueError, match="declared twice"):
        kinds.event_kinds(Gone)
