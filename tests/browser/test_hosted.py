"""The hosted page as somebody meets it whom a host sends there: one address, the element, and the end of the visit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import ELEMENT, Visitor, heading, in_the_installation, visit
from tests.served.conftest import Served

# One process drives the one browser.
pytestmark = pytest.mark.xdist_group("browser")
MAKE = """
from datetime import timedelta
from django.utils import timezone
from tenants.callers import Role, Scope
from tenants.models import Tenant, VouchedPerson
from tenants.people import SYSTEM
from tenants.tokens import create_token
from tenants.vouching import code, new_session
now, tenant = timezone.now(), Tenant.objects.get(domain="contoso.example")
token, _ = create_token(
    name="Example Portal", scopes=[Scope.SESSIONS], tenants=[tenant], max_role=Role.GLOBAL_ADMIN, caller=SYSTEM, now=now
)
person = VouchedPerson.objects.create(
    tenant=tenant, token=token, partner=token.partner, external_id="7", name="Ana Petrova", email="ana@host.example",
    seen_at=now,
)
session = new_session(person=person, token=token, role=Role.GLOBAL_ADMIN, lasts=timedelta(hours=1), now=now)
session.return_url = "https://portal.example/"
session.save()
print(code(session))
"""
END = "from tenants.models import PortalSession; from django.utils import timezone;"
END += " PortalSession.objects.update(ended_at=timezone.now())"


@pytest.fixture
def guest(browser: Browser, site: Served) -> Iterator[Visitor]:
    yield from visit(browser, site, "en")


def test_the_address_leads_to_the_element_and_the_end_says_so(guest: Visitor, site: Served) -> None:
    page = guest.go(f"/portal/enter/{in_the_installation(site, MAKE)}/")
    expect(page).to_have_url(f"{guest.base}/portal/")
    rows = page.locator(f"{ELEMENT} .row")
    expect(rows).to_have_count(12)
    expect(page.locator("header")).to_contain_text("Ana Petrova, vouched for by Example Portal")
    assert guest.violations() == set()
    page.get_by_role("button", name="Cancel subscription").first.click()
    expect(heading(page)).to_contain_text("Cancel")
    assert "/portal/#sub_" in page.url
    page.reload()
    expect(heading(page)).to_contain_text("Cancel")
    page.go_back()
    expect(rows).to_have_count(12)
    in_the_installation(site, END)
    page.reload()
    expect(page.get_by_role("heading")).to_have_text("This visit is over")
    expect(page.get_by_role("link", name="Go back")).to_have_attribute("href", "https://portal.example/")
    # The answer for a visit that is over is no success, which the browser notes.
    guest.complaints[:] = [said for said in guest.complaints if "403" not in said]
