"""Exports in the shapes that tools leave them in."""

from __future__ import annotations

from functools import partial
from io import BytesIO

import pytest

from subscriptions.directory.files import UserRow, read_charges, read_instant, read_products, read_users
from subscriptions.directory.tables import FileUnreadable, Parsed, RowUnreadable
from tests.builders import SOFIA, at

EN = "User principal name,Display name,Licenses,Block credential,Soft deletion time stamp"
BG = "Основно потребителско име;Показвано име;Лицензи;Блокиране на идентификационни данни;Времеви печат на меко изтриване"
FR = "Nom d'utilisateur\tNom complet\tLicences"
ROW_EN = "ada@x.example,Ада Ж.,E3+Power BI,True,"
ROW_BG = "ada@x.example;Ада Ж.;E3+Power BI;да;"
ROW_FR = "ada@x.example\tАда Ж.\tE3+Power BI"


def users_in(data: bytes) -> Parsed[UserRow]:
    return Parsed.of(read_users(partial(BytesIO, data), "users.csv"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1251"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(("header", "row"), [(EN, ROW_EN), (BG, ROW_BG), (FR, ROW_FR)])
def test_every_shape_says_the_same(encoding: str, newline: str, header: str, row: str) -> None:
    parsed = users_in(f"{header}{newline}{row}{newline}".encode(encoding))
    assert parsed.problems == []
    [user] = parsed.rows
    assert (user.principal_name, user.display_name, user.products) == ("ada@x.example", "Ада Ж.", ("E3", "Power BI"))
    assert user.is_blocked is (header != FR)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        b"\xff\xfe\x00",
        b"\x98\x98\x98",
        b"Name,City\nAda,Sofia\n",
        b"x" * 200_000,
        b"\x00\x01\x02\x03" * 40,
        ('"' + EN + "\n" + ROW_EN).encode(),
        (EN + '\n"' + "x" * 200_000).encode(),
    ],
)
def test_what_is_no_such_file(data: bytes) -> None:
    with pytest.raises(FileUnreadable):
        users_in(data)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",Ada,E3,False,", "principal name is empty"),
        ("a@x,Ada,E3", "3 columns"),
        ("a@x,Ada,E3,False,,extra", "6 columns"),
        (f"{'a' * 400},Ada,E3,False,", "longer than 320"),
        ("a\x00@x,Ada,E3,False,", "NUL"),
    ],
)
def test_a_row_that_cannot_be_read_is_reported_with_its_line(row: str, reason: str) -> None:
    text = f'{EN}\nok@x,"two\nlines",E3,False,\n{row}\nok2@x,Ok,E3,False,\n'
    parsed = users_in(text.encode())
    assert [user.principal_name for user in parsed.rows] == ["ok@x", "ok2@x"]
    [problem] = parsed.problems
    assert (problem.file, problem.line) == ("users.csv", 4)
    assert reason in problem.reason


@pytest.mark.parametrize(
    ("cell", "products"),
    [
        ("Unlicensed", ()),
        ("", ()),
        ("Нелицензиран", ()),
        ("E3", ("E3",)),
        ("E3+E3", ("E3",)),
        ("Exchange Online (Plan 1)+E3", ("Exchange Online (Plan 1)", "E3")),
        ("Audio (select dial-out, US only)", ("Audio (select dial-out, US only)",)),
        ("Mobility + Security E5+E3", ("Mobility + Security E5", "E3")),
    ],
)
def test_the_licenses_cell(cell: str, products: tuple[str, ...]) -> None:
    [user] = users_in(f'{EN}\na@x,Ada,"{cell}",False,\n'.encode()).rows
    assert user.products == products


def test_a_long_list_is_read_as_it_is_looked_through() -> None:
    class Counted(BytesIO):
        read_bytes = 0

        def read1(self, size: int | None = -1, /) -> bytes:
            found = super().read1(size)
            Counted.read_bytes += len(found)
            return found

    data = (f"{EN}\n" + f"{ROW_EN}\n" * 50_000).encode()
    table = read_users(partial(Counted, data), "users.csv")
    Counted.read_bytes = 0
    next(iter(table))
    assert 0 < Counted.read_bytes < len(data) / 10
    assert len(list(table)) == len(list(table)) == 50_000


def test_case_11_products() -> None:
    text = "Product Title,Total Licenses,Status\nE3,50,\nE5,-1,\nF1,x,\nF3,5,Frobnicated\nF5,3,Suspended\n,3,\n"
    parsed = read_products(partial(BytesIO, text.encode()), "products.csv")
    assert [(row.title, row.seats, row.status) for row in parsed.rows] == [("E3", 50, ""), ("F5", 3, "SUSPENDED")]
    assert [problem.line for problem in parsed.problems] == [3, 4, 5, 7]
    assert "Frobnicated" in parsed.problems[2].reason


CHARGE = "charge_id,product,charged,tax,settled,currency,period_start,period_end,term_months"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("c1,E3,1.005,0,0,EUR,2026-11-01,2026-12-01,1", "digits"),
        ("c1,E3,abc,0,0,EUR,2026-11-01,2026-12-01,1", "amount"),
        ("c1,E3,10,0,0,XXX,2026-11-01,2026-12-01,1", "ISO 4217"),
        ("c1,E3,10,0,0,EUR,2026-12-01,2026-11-01,1", "before it starts"),
        ("c1,E3,10,0,0,EUR,2026-11-01T00:00:00,2026-12-01,1", "offset"),
        ("c1,E3,10,0,0,EUR,2026-02-30,2026-12-01,1", "not a date"),
        ("c1,E3,10,0,0,EUR,2026-11-01,2026-12-01,one", "term"),
        (",E3,10,0,0,EUR,2026-11-01,2026-12-01,1", "empty"),
    ],
)
def test_a_charge_that_cannot_be_read(row: str, reason: str) -> None:
    parsed = read_charges(partial(BytesIO, f"{CHARGE}\n{row}\n".encode()), "charges.csv", SOFIA)
    assert parsed.rows == []
    assert (parsed.problems[0].line, reason in parsed.problems[0].reason) == (2, True)


def test_what_was_paid_is_never_guessed() -> None:
    rows = [
        "c1,E3,10,0,,EUR,2026-11-01,2026-12-01,1,",
        "c2,E3,10,0,0,EUR,2026-11-01,2026-12-01,1,",
        "c3,E3,-5,0,,EUR,2026-11-01,2026-12-01,1,c2",
    ]
    text = "\n".join([f"{CHARGE},corrects", *rows])
    parsed = read_charges(partial(BytesIO, text.encode()), "charges.csv", SOFIA)
    assert [(row.charge_id, row.paid) for row in parsed.rows] == [("c2", 0), ("c3", 0)]
    assert [(problem.line, problem.reason) for problem in parsed.problems] == [
        (2, "settled is empty: write 0 where nothing was paid")
    ]


def test_case_44_dates_are_days_in_the_tenants_zone() -> None:
    row = "c1,E3,10.00,2.00,12.00,EUR,2026-11-01,2026-12-01,1"
    [charge] = read_charges(partial(BytesIO, f"{CHARGE}\n{row}\n".encode()), "charges.csv", SOFIA).rows
    assert (charge.period.start, charge.period.end) == (at("2026-10-31T22:00Z"), at("2026-11-30T22:00Z"))
    assert (charge.charged, charge.tax, charge.paid) == (1200, 200, 1200)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-25T10:00", "2026-13-01", "2026-11-25 25:00:00Z"])
def test_an_instant_needs_its_offset(text: str) -> None:
    with pytest.raises(RowUnreadable):
        read_instant(text, SOFIA)
