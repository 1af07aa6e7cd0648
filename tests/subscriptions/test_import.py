"""Import what admins export: the counts come out, twice is once, and what was removed here stays removed."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command

from billing.models import Charge
from common import chunks
from subscriptions.models import DirectoryUser, License, Plan, Subscription
from tenants.callers import Role
from tenants.models import AuditEvent, Tenant
from tests.builders import NOW, at
from tests.graphql.documents import OPTIONS, REMOVE
from tests.graphql.test_access import everything
from tests.imports import LEFT_OUT, facts, import_files
from tests.world import Api, World

pytestmark = pytest.mark.django_db

EXAMPLES = Path(__file__).parents[1] / "data" / "examples"
EXPECTED: dict[str, Any] = json.loads((EXAMPLES / "expected.json").read_text())
TENANTS = [name for name in EXPECTED if name.endswith(".example")]


@pytest.fixture(autouse=True)
def _frozen(db: None) -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture(autouse=True)
def _sold(_frozen: None) -> None:
    """Text in a license cell makes no product: these are sold here."""
    for name in ("E3", "F1", "Visio", "Microsoft 365 Business Standard", "Exchange Online (Plan 1)"):
        Plan.objects.create(part_number=name, name=name)


def run(tenant: str, *files: str, **options: Any) -> str:
    kinds = {"users": "users", "products": "products", "charges": "charges"}
    named = {kind: EXAMPLES / file for file in files for word, kind in kinds.items() if word in file}
    return import_files(tenant=tenant, **{"exported_at": "2026-11-25", **named, **options})[0]


def holders(tenant: str) -> dict[str, int]:
    """Holders by product. Each counts for each subscription of a product that was bought twice, and here once."""
    found: dict[str, set[int]] = {}
    for subscription in Subscription.objects.filter(tenant__domain=tenant).select_related("plan"):
        users = License.objects.held().filter(subscription=subscription).values_list("user", flat=True)
        found.setdefault(subscription.plan.display_name, set()).update(users)
    return {name: len(users) for name, users in found.items()}


@pytest.mark.parametrize("tenant", TENANTS)
def test_the_examples_count_as_expected(tenant: str) -> None:
    expected = EXPECTED[tenant]
    report = run(tenant, *expected["files"])
    assert holders(tenant) == expected["holders"]
    for words, count in (
        ("soft-deleted users", expected.get("skipped", {}).get("soft_deleted")),
        ("users without a license", expected.get("skipped", {}).get("unlicensed")),
        ("merged", expected.get("merged", {}).get("same_principal_name_in_another_case")),
    ):
        if count:
            assert (
                f"{count}  {words}" in report or f"{count}  rows with a principal name seen before, {words}" in report
            )


@pytest.mark.parametrize("tenant", TENANTS)
def test_pieces_of_two_rows_count_the_same(tenant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "_SIZES", {"sqlite": 2, "postgresql": 2})
    expected = EXPECTED[tenant]
    run(tenant, *expected["files"])
    assert holders(tenant) == expected["holders"]
    assert "Nothing new." in run(tenant, *expected["files"])


def test_names_far_apart_and_in_odd_letters_are_one_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "_SIZES", {"sqlite": 2, "postgresql": 2})
    names = [r"a\N@x.example", r"tab\t@x.example", "quote'\"@x.example", *(f"u{n}@x.example" for n in range(7))]
    rows = [f'"{name.replace(chr(34), chr(34) * 2)}",E3' for name in names]
    path = tmp_path / "users.csv"
    path.write_text("\n".join(["User principal name,Licenses", *rows, f"{names[0].upper()},F1", ""]))
    out = io.StringIO()
    call_command("import_directory", tenant="x.example", users=path, exported_at="2026-11-24", stdout=out)
    assert "1  rows with a principal name seen before, merged" in out.getvalue()
    assert set(DirectoryUser.objects.values_list("principal_name", flat=True)) == set(names)
    assert holders("x.example") == {"E3": 10, "F1": 1}
    assert Subscription.objects.get(plan__name="E3").purchased_licenses == 10
    assert DirectoryUser.objects.filter(search_key__contains=r"a\n@x").count() == 1


def test_a_later_export_changes_users_and_brings_back_and_takes_licenses(tmp_path: Path) -> None:
    path = tmp_path / "users.csv"

    def bring_in(exported_at: str, *rows: str) -> str:
        path.write_text("\n".join(["User principal name,Display name,Licenses,Soft deletion time stamp", *rows, ""]))
        out = io.StringIO()
        call_command("import_directory", tenant="x.example", users=path, exported_at=exported_at, stdout=out)
        return out.getvalue()

    bring_in("2026-11-20", "a@x,Ann,E3,", "b@x,Bob,E3,", "c@x,Cyd,E3+F1,")
    later = bring_in("2026-11-21", "a@x,Anna,E3,", "b@x,Bob,,", "c@x,Cyd,E3+F1,2026-11-21")
    assert "2  users changed" in later
    assert holders("x.example") == {"E3": 1, "F1": 0}
    assert DirectoryUser.objects.get(search_key__contains="anna").display_name == "Anna"
    again = bring_in("2026-11-22", "a@x,Anna,E3,", "b@x,Bob,E3,", "c@x,Cyd,E3+F1,")
    assert "1  licenses assigned" in again
    assert holders("x.example") == {"E3": 3, "F1": 1}
    assert License.objects.count() == 4


def test_a_product_bought_twice_and_one_without_a_charge() -> None:
    report = run("contoso.example", *EXPECTED["contoso.example"]["files"])
    yearly = Subscription.objects.get(external_id="sub-e3-y")
    monthly = Subscription.objects.get(external_id="sub-e3-m")
    assert (yearly.purchased_licenses, monthly.purchased_licenses) == (32, 18)
    for bought in (yearly, monthly):
        assert License.objects.held().filter(subscription=bought).count() == 31
        assert bought.shares_licenses
    assert "Microsoft 365 E3 was bought 2 times" in report
    assert "Visio Plan 2: no charge on record" in report
    seats = Subscription.objects.get(external_id="sub-bs-1")
    assert (seats.period_start, seats.period_end) == (at("2026-10-31T22:00Z"), at("2026-11-30T22:00Z"))
    assert (seats.term_months, seats.purchased_licenses) == (1, 40)
    assert Subscription.objects.get(plan__name="Visio Plan 2").period_end is None


def test_the_file_says_what_comes_back() -> None:
    run("contoso.example", *EXPECTED["contoso.example"]["files"])
    tenant = Tenant.objects.get(domain="contoso.example")
    world = World(tenant, None)  # type: ignore[arg-type]
    power_bi = Subscription.objects.get(external_id="sub-pbi")
    api = Api(world.person(Role.GLOBAL_ADMIN))
    options = api(OPTIONS, id=f"sub_{power_bi.pk}")["cancellationOptions"]["options"]
    quote = options[0]["quotes"][0]
    # 223.20 for 30 days from 5 November, 20 whole days used: 148.80.
    assert quote["refund"]["amount"] == "74.40"
    assert quote["lines"][0]["refundTax"]["amount"] == "12.40"


def test_repeating_changes_nothing() -> None:
    files = EXPECTED["contoso.example"]["files"]
    run("contoso.example", *files)
    before = facts()
    assert "Nothing new." in run("contoso.example", *files)
    assert facts() == before


def test_a_dry_run_reports_the_same_and_changes_nothing() -> None:
    files = EXPECTED["contoso.example"]["files"]
    before = everything()
    dry = run("contoso.example", *files, dry_run=True)
    assert everything() == before
    real = run("contoso.example", *files)
    assert dry.splitlines()[2:] == [line for line in real.splitlines() if "Created tenant" not in line][2:]


def test_case_70_what_was_removed_here_after_the_export_stays_removed() -> None:
    files = EXPECTED["fabrikam.example"]["files"]
    run("fabrikam.example", *files, exported_at="2026-11-24T08:00:00+02:00")
    tenant = Tenant.objects.get(domain="fabrikam.example")
    world = World(tenant, None)  # type: ignore[arg-type]
    api = Api(world.person(Role.GLOBAL_ADMIN))
    subscription = Subscription.objects.get(plan__name="Microsoft 365 Business Standard")
    license = License.objects.held().filter(subscription=subscription).first()
    assert license
    given = {"subscriptionId": f"sub_{subscription.pk}", "userIds": [f"usr_{license.user_id}"]}
    assert api(REMOVE, input=given)["removeUsers"]["removedCount"] == 1
    report = run("fabrikam.example", *files, exported_at="2026-11-24T08:00:00+02:00")
    assert "1  licenses removed here after the export, left removed" in report
    assert holders("fabrikam.example")["Microsoft 365 Business Standard"] == 24
    # An export made after the removal shows who holds it now.
    with time_machine.travel(NOW + timedelta(days=1), tick=False):
        run("fabrikam.example", *files, exported_at="2026-11-26T08:00:00+02:00")
    assert holders("fabrikam.example")["Microsoft 365 Business Standard"] == 25


def test_charges_that_come_later_belong_to_the_subscription_that_is_there() -> None:
    users, products, charges = EXPECTED["contoso.example"]["files"]
    run("contoso.example", users, products)
    before = Subscription.objects.count()
    assert Subscription.objects.get(plan__name="Power BI Pro").period_end is None
    run("contoso.example", users, products, charges)
    assert holders("contoso.example") == EXPECTED["contoso.example"]["holders"]
    # E3 turns out to have been bought twice; everything else is the subscription it was.
    assert Subscription.objects.count() == before + 1
    assert Subscription.objects.get(external_id="sub-pbi").period_end == at("2026-12-04T22:00Z")


def users_file(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "users.csv"
    path.write_text("User principal name,Display name,Licenses\n" + "\n".join(rows))
    return path


def test_a_later_export_takes_away_what_it_no_longer_shows(tmp_path: Path) -> None:
    path = users_file(tmp_path, "a@x.example,Ada,E3+Visio", "b@x.example,Bob,E3")
    call_command("import_directory", tenant="x.example", users=path, exported_at="2026-11-20", stdout=io.StringIO())
    path = users_file(tmp_path, "A@X.example,Ada Lovelace,E3")
    out = io.StringIO()
    call_command("import_directory", tenant="x.example", users=path, exported_at="2026-11-24", stdout=out)
    assert holders("x.example") == {"E3": 2, "Visio": 0}
    assert "1  licenses of users who are not in the file" in out.getvalue()
    assert DirectoryUser.objects.get(principal_key="a@x.example").display_name == "Ada Lovelace"
    call_command(
        "import_directory", tenant="x.example", users=path, exported_at="2026-11-24", complete=True,
        stdout=io.StringIO(),
    )  # fmt: skip
    assert holders("x.example") == {"E3": 1, "Visio": 0}


def test_a_row_that_cannot_be_read_is_reported_and_the_rest_comes_in(tmp_path: Path) -> None:
    path = users_file(tmp_path, "a@x.example,Ada,E3", ",Nobody,E3", "c@x.example,Cleo,E3")
    charges = tmp_path / "charges.csv"
    charges.write_text(
        "charge_id,tenant,product,subscription_id,seats,charged,tax,settled,currency,period_start,period_end\n"
        "c1,x.example,E3,s1,5,10.00,0,10.00,EUR,2026-11-01,2026-12-01\n"
        "c2,x.example,E3,s1,5,10.00,0,11.00,EUR,2026-11-01,2026-12-01\n"
        "c3,other.example,E3,s1,5,10.00,0,1.00,EUR,2026-11-01,2026-12-01\n"
        "c4,x.example,E3,s1,5,10.00,0,1.00,USD,2026-11-01,2026-12-01\n"
    )
    report, code = import_files(tenant="x.example", users=path, charges=charges, exported_at="2026-11-24")
    assert code == LEFT_OUT
    assert "users.csv: User principal name, line 3: This has to be said." in report
    assert "line 3: c2: more was paid than charged" in report
    assert "charges.csv: tenant, line 4:" in report
    assert "line 5: c4: the currency is USD" in report
    assert holders("x.example") == {"E3": 2}
    assert list(Charge.objects.values_list("external_id", flat=True)) == ["c1"]


def test_a_correction_and_a_payment_that_settled_later(tmp_path: Path) -> None:
    path = users_file(tmp_path, "a@x.example,Ada,E3")
    charges = tmp_path / "charges.csv"
    header = "charge_id,product,subscription_id,charged,settled,currency,period_start,period_end,corrects\n"
    charges.write_text(header + "c1,E3,s1,100.00,0,EUR,2026-11-01,2026-12-01,\n")
    given = {"tenant": "x.example", "users": path, "charges": charges, "exported_at": "2026-11-24"}
    call_command("import_directory", stdout=io.StringIO(), **given)
    charges.write_text(
        header
        + "c1,E3,s1,100.00,100.00,EUR,2026-11-01,2026-12-01,\n"
        + "k1,E3,s1,-30.00,0,EUR,2026-11-01,2026-12-01,c1\n"
        + "k2,E3,s1,-80.00,0,EUR,2026-11-01,2026-12-01,c1\n"
    )
    said, _ = import_files(**given)
    charge = Charge.objects.get()
    assert (charge.paid, charge.corrected) == (10000, 3000)
    assert "k2: a correction cannot exceed the charge it names" in said


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"users": EXAMPLES / "charges.csv"}, "no column of the first line is known"),
        ({"users": EXAMPLES / "nothing.csv"}, "No such file"),
        ({"products": EXAMPLES / "expected.json"}, "no column of the first line is known"),
        ({"exported_at": "2026-11-25T10:00"}, "with an offset"),
        ({"exported_at": "2027-01-01"}, "in the future"),
    ],
)
def test_a_file_that_cannot_be_read_imports_nothing(options: dict[str, Any], reason: str) -> None:
    before = everything()
    given = {"users": EXAMPLES / "active-users-utf8-bom.csv", "exported_at": "2026-11-24", **options}
    with pytest.raises(CommandError, match="Nothing was imported") as raised:
        call_command("import_directory", tenant="contoso.example", **given)
    assert reason in str(raised.value)
    assert everything() == before


def test_an_import_is_on_the_audit_trail() -> None:
    run("adatum.example", *EXPECTED["adatum.example"]["files"])
    [event] = AuditEvent.objects.all()
    assert (event.action, event.actor_kind, event.data["users_created"]) == ("directory.imported", "SYSTEM", 26)
    assert "@" not in json.dumps(event.data)
