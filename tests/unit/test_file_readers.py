"""Exports in the shapes that tools leave them in, as rows of the document."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from io import BytesIO
from typing import Any

import pytest

from billing.money import Money
from subscriptions.directory.document import (
    Contact,
    GroupRow,
    LicenseRow,
    Section,
    SubscriptionRow,
    UserRow,
    UserState,
)
from subscriptions.directory.faults import Fault, Problem
from subscriptions.directory.readers import charges, products, users
from subscriptions.directory.readers.charges import read_charges
from subscriptions.directory.readers.products import read_products
from subscriptions.directory.readers.users import UsersFile
from subscriptions.directory.report import problem_message
from subscriptions.directory.tables import FileUnreadable
from subscriptions.policy.facts import Channel, Status
from tests.builders import SOFIA, at

EN = "User principal name,Display name,Licenses,Block credential,Soft deletion time stamp"
BG = "Основно потребителско име;Показвано име;Лицензи;Блокиране на идентификационни данни;Времеви печат на меко изтриване"
FR = "Nom d'utilisateur\tNom complet\tLicences"
ROW_EN = "ada@x.example,Ада Ж.,E3+Power BI,True,"
ROW_BG = "ada@x.example;Ада Ж.;E3+Power BI;да;"
ROW_FR = "ada@x.example\tАда Ж.\tE3+Power BI"
CHARGE = "charge_id,product,charged,tax,settled,currency,period_start,period_end,term_months"


def users_file(data: bytes | str) -> UsersFile:
    return UsersFile(partial(BytesIO, data.encode() if isinstance(data, str) else data), "users.csv")


def charges_in(text: str) -> list[Any]:
    return list(read_charges(partial(BytesIO, text.encode()), "charges.csv", SOFIA, "x.example"))


def products_in(text: str) -> list[Any]:
    return list(read_products(partial(BytesIO, text.encode()), "products.csv", SOFIA))


def rows(found: Iterable[Any], section: Section) -> list[Any]:
    return [one[1] for one in found if not isinstance(one, Problem) and one[0] is section]


def problems(found: Iterable[Any]) -> list[Problem]:
    return [one for one in found if isinstance(one, Problem)]


def one_user(row: str, header: str = EN) -> Any:
    [user] = rows(users_file(f"{header}\n{row}\n"), Section.USERS)
    return user


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1251"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(("header", "row"), [(EN, ROW_EN), (BG, ROW_BG), (FR, ROW_FR)])
def test_every_shape_says_the_same(encoding: str, newline: str, header: str, row: str) -> None:
    [(section, user)] = users_file(f"{header}{newline}{row}{newline}".encode(encoding))
    state = UserState.ACTIVE if header == FR else UserState.BLOCKED
    assert section is Section.USERS
    assert user == UserRow(2, "", "ada@x.example", "Ада Ж.", state, None, None, ("E3", "Power BI"))


@pytest.mark.parametrize("above", ["sep=,", "#TYPE Microsoft.Graph.User", '"sep=,"'])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_line_above_the_headers_is_passed_over(above: str, encoding: str) -> None:
    found = list(users_file(f"{above}\r\n{EN}\r\n{ROW_EN}\r\n,,,,\r\n".encode(encoding)))
    assert [user.line for user in rows(found, Section.USERS)] == [3]
    assert [problem.line for problem in problems(found)] == []


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
        list(users_file(data))


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("Name,City", "There are: Name, City"),
        ("User principal name,License,City", "no column “licenses”; is it “license”?"),
        ("User principal name,Town", "no column “licenses”"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(header: str, said: str) -> None:
    with pytest.raises(FileUnreadable) as refused:
        users_file(f"{header}\n")
    assert str(refused.value).endswith(said)


@pytest.mark.parametrize(
    ("row", "code", "column"),
    [
        (",Ada,E3,False,", "MISSING", ": User principal name"),
        ("a@x,Ada,E3", "COLUMNS_DIFFER", ""),
        ("a@x,Ada,E3,False,,extra", "COLUMNS_DIFFER", ""),
        (f"{'a' * 400},Ada,E3,False,", "TOO_LONG", ": User principal name"),
        ("a\x00@x,Ada,E3,False,", "CHARACTERS", ": User principal name"),
        ('a@x,Ada,"E3\nE5",False,', "CHARACTERS", ": Licenses"),
        ("a@x,Ada,E3,perhaps,", "UNKNOWN_WORD", ": Block credential"),
        (f"a@x,Ada,{'E' * 201},False,", "TOO_LONG", ": Licenses"),
    ],
)
def test_a_row_that_cannot_be_read_is_reported_with_its_line(row: str, code: str, column: str) -> None:
    text = f'{EN}\nok@x,"two\nlines",E3,False,\n{row}\nok2@x,Ok,E3,False,\n'
    found = list(users_file(text))
    assert [(user.principal_name, user.display_name) for user in rows(found, Section.USERS)] == [
        ("ok@x", "two lines"),
        ("ok2@x", "Ok"),
    ]
    [problem] = problems(found)
    assert (problem.code, problem.path, problem.line) == (code, f"users.csv{column}", 4)
    assert problem_message(problem)


@pytest.mark.parametrize(
    ("cell", "names"),
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
def test_the_licenses_cell(cell: str, names: tuple[str, ...]) -> None:
    assert one_user(f'a@x,Ada,"{cell}",False,').licenses == names


@pytest.mark.parametrize(
    "cell",
    ["[object Object],[object Object]", "System.Object[]", "None", "#N/A", "null", "E3+#REF!", "nan", "System.Collections.Generic.List`1[System.String]"],
)  # fmt: skip
def test_what_is_no_product_is_refused(cell: str) -> None:
    [problem] = users_file(f'{EN}\na@x,Ada,"{cell}",False,\n')
    assert (problem.code, problem.path, problem.line) == ("NOT_A_PRODUCT", "users.csv: Licenses", 2)


@pytest.mark.parametrize(
    ("cells", "state"),
    [
        ("False,,", UserState.ACTIVE),
        ("True,,", UserState.BLOCKED),
        (",,", UserState.ACTIVE),
        ("False,2026-11-01 10:00:00Z,", UserState.DELETED),
        ("True,who knows when,", UserState.DELETED),
        (",,blocked", UserState.BLOCKED),
        ("False,,Изтрит", UserState.DELETED),
        ("True,,active", UserState.BLOCKED),
        ("True,,deleted", UserState.DELETED),
    ],
)
def test_what_somebody_is(cells: str, state: UserState) -> None:
    user = one_user(f"a@x,Ada,E3,{cells}", f"{EN},User state")
    assert user.state is state
    assert (user.deleted_at is not None) is ("2026" in cells)
    [problem] = users_file(f"{EN},User state\na@x,Ada,E3,False,,retired\n")
    assert problem.code == "UNKNOWN_WORD"


def test_ids_and_groups_where_a_file_has_them() -> None:
    text = (
        "User principal name;Licenses;User_ID;Група\n"
        "a@x;E3+E5;u1;Sales\nb@x;E3;u2;\nA@X;Power BI;;\nc@x;Unlicensed;u3;Sales\n"
    )
    file = users_file(text)
    found = list(file)
    assert [(u.external_id, u.principal_name, u.licenses) for u in rows(found, Section.USERS)] == [
        ("u2", "b@x", ("E3",)),
        ("u3", "c@x", ()),
        ("u1", "a@x", ("Power BI",)),
    ]
    assert rows(found, Section.GROUPS) == [GroupRow(5, "", "Sales")]
    assert rows(found, Section.LICENSES) == [LicenseRow(2, "E3", "u1", "Sales"), LicenseRow(2, "E5", "u1", "Sales")]
    assert (file.count, file.merged, file.notes) == (4, 1, [])


@pytest.mark.parametrize(
    ("second", "merged"),
    [
        ("A@X,,E5,False,", (UserState.ACTIVE, ("E3", "E5"), "Ada")),
        ("A@X,Eva,E3,True,", (UserState.BLOCKED, ("E3",), "Ada")),
        ("a@x,Ada,E5,False,2026-11-01T00:00:00Z", (UserState.ACTIVE, ("E3", "E5"), "Ada")),
    ],
)
def test_a_name_that_comes_twice_is_one_user_who_holds_what_either_row_says(
    second: str, merged: tuple[Any, ...]
) -> None:
    file = users_file(f"{EN}\na@x,Ada,E3,False,\nb@x,Bob,E3,False,\n{second}\n")
    one, other = rows(file, Section.USERS)
    assert one.principal_name == "b@x"
    assert (other.state, other.licenses, other.display_name) == merged
    assert (other.line, file.merged) == (2, 1)


def test_unknown_columns_are_named_and_those_of_the_export_that_decide_nothing_are_not() -> None:
    file = users_file(f"{EN},City,Cost center, ,Licences\n")
    said = [problem_message(note) for note in file.notes]
    assert said == ["users.csv: the column “Cost center” was not read", "users.csv: the column “Licences” was not read"]
    assert {note.code for note in file.notes} == {Fault.UNKNOWN_COLUMN}


def test_a_long_list_is_read_as_it_is_looked_through() -> None:
    class Counted(BytesIO):
        read_bytes = 0

        def read1(self, size: int | None = -1, /) -> bytes:
            found = super().read1(size)
            Counted.read_bytes += len(found)
            return found

    lines = "".join(f"user{n}@x.example,Ада,E3,False,\n" for n in range(50_000))
    data = f"{EN}\n{lines}".encode()
    file = UsersFile(partial(Counted, data), "users.csv")
    Counted.read_bytes = 0
    next(iter(file))
    # Names are looked through once before, so that one that comes twice is seen.
    assert len(data) < Counted.read_bytes < len(data) * 1.1
    assert len(list(file)) == len(list(file)) == file.count == 50_000


def test_case_11_products() -> None:
    text = "Product Title,Total Licenses,Status\nE3,50,\nE5,-1,\nF1,x,\nF3,5,Frobnicated\nF5,3,Suspended\n,3,\n"
    found = products_in(text)
    assert [(r.line, r.product, r.seats, r.status) for r in rows(found, Section.SUBSCRIPTIONS)] == [
        (2, "E3", 50, None),
        (6, "F5", 3, Status.SUSPENDED),
    ]
    assert [(problem.line, problem.code) for problem in problems(found)] == [
        (3, "WRONG_TYPE"),
        (4, "WRONG_TYPE"),
        (5, "UNKNOWN_WORD"),
        (7, "MISSING"),
    ]


@pytest.mark.parametrize(
    ("word", "status"),
    [("Enabled", Status.ACTIVE), ("Warning", Status.SUSPENDED), ("LockedOut", Status.SUSPENDED), ("past due", Status.SUSPENDED),
     ("Спрян", Status.SUSPENDED), ("Активен", Status.ACTIVE), ("Deleted", Status.DELETED), ("canceled", Status.DISABLED)],
)  # fmt: skip
def test_words_of_other_systems_for_a_status(word: str, status: Status) -> None:
    [row] = rows(products_in(f"Product title,Total licenses,Status\nE3,5,{word}\n"), Section.SUBSCRIPTIONS)
    assert row.status is status


ALL = {
    "product": ("E3", "E3"), "seats": ("40", "40"), "status": ("Active", "Активен"), "assigned": ("27", "27"),
    "subscription_id": ("s1", "s1"), "plan": ("Yearly", "Годишен"), "trial": ("no", "не"),
    "channel": ("partner", "Партньор"), "partner": ("Nova", "Nova"), "partner_url": ("https://nova.example",) * 2,
    "partner_email": ("ada@nova.example",) * 2, "partner_phone": ("+359 2 123",) * 2, "renews": ("On", "Включено"),
    "price": ("1200.50", "1 200,50"), "currency": ("eur", "EUR"), "billed_months": ("1", "1"), "term_months": ("12", "12"),
    "ends_at": ("2026-12-01", "01.12.2026"), "payment_method": ("yes", "да"),
}  # fmt: skip


@pytest.mark.parametrize("language", [0, 1])
def test_all_that_decides_comes_in_by_columns_in_both_languages(language: int) -> None:
    header = ";".join(
        (next(h for h in products.COLUMNS[f] if not h.isascii()) if language else products.COLUMNS[f][0]) for f in ALL
    )
    file = read_products(
        partial(BytesIO, f"{header}\n{';'.join(values[language] for values in ALL.values())}\n".encode()),
        "p.csv",
        SOFIA,
    )
    [(section, row)] = file
    assert (section, list(file.notes)) == (Section.SUBSCRIPTIONS, [])
    assert row == SubscriptionRow(
        line=2, external_id="s1", product="E3", plan_name=ALL["plan"][language], status=Status.ACTIVE, is_trial=False,
        channel=Channel.PARTNER, partner=Contact("Nova", "https://nova.example", "ada@nova.example", "+359 2 123"),
        renews=True, seats=40, price=Money(120050, "EUR"), currency="EUR", billed_months=1, term_months=12,
        ends_at=at("2026-11-30T22:00Z"), has_payment_method=True, assigned=27,
    )  # fmt: skip


def test_what_a_file_does_not_say_is_unsaid() -> None:
    [row] = rows(products_in("Product title,Total licenses,Trial,Channel,Price\nE3,5,,,\n"), Section.SUBSCRIPTIONS)
    assert row == SubscriptionRow(line=2, external_id="", product="E3", seats=5)


@pytest.mark.parametrize(
    ("cells", "code", "column"),
    [
        ("maybe,,,", "UNKNOWN_WORD", "Trial"),
        (",12.50,,", "MISSING", "Currency"),
        (",12.50,XXX,", "UNKNOWN_CURRENCY", "Currency"),
        (",-1,EUR,", "OUT_OF_RANGE", "Price"),
        (",1.005,EUR,", "NOT_CLEAR", "Price"),
        (",abc,EUR,", "NOT_AN_AMOUNT", "Price"),
        (",,,javascript:alert(1)", "WRONG_TYPE", "Partner URL"),
    ],
)
def test_a_subscription_that_cannot_be_read(cells: str, code: str, column: str) -> None:
    [problem] = products_in(f"Product title,Total licenses,Trial,Price,Currency,Partner URL\nE3,5,{cells}\n")
    assert (problem.code, problem.path) == (code, f"products.csv: {column}")


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("c1,E3,1.0055,0,0,EUR,2026-11-01,2026-12-01,1", "NOT_AN_AMOUNT"),
        ("c1,E3,abc,0,0,EUR,2026-11-01,2026-12-01,1", "NOT_AN_AMOUNT"),
        ("c1,E3,10,0,0,XXX,2026-11-01,2026-12-01,1", "UNKNOWN_CURRENCY"),
        ("c1,E3,10,0,0,EUR,2026-12-01,2026-11-01,1", "CHARGE_REFUSED"),
        ("c1,E3,10,0,0,EUR,2026-11-01,2046-11-02,1", "CHARGE_REFUSED"),
        ("c1,E3,10,0,0,EUR,2026-11-01T00:00:00,2026-12-01,1", "NOT_A_DATE"),
        ("c1,E3,10,0,0,EUR,2026-02-30,2026-12-01,1", "NOT_A_DATE"),
        ("c1,E3,10,0,0,EUR,0001-01-01,2026-12-01,1", "OUT_OF_RANGE"),
        ("c1,E3,10,0,0,EUR,2026-11-01,9999-12-31,1", "OUT_OF_RANGE"),
        ("c1,E3,10,0,0,EUR,2026-11-01,2026-12-01,one", "WRONG_TYPE"),
        ("c1,E3,10,0,0,EUR,2026-11-01,2026-12-01,202612", "OUT_OF_RANGE"),
        ("c1,E3,999999999999999.9999,0,0,CLF,2026-11-01,2026-12-01,1", "NOT_AN_AMOUNT"),
        (",E3,10,0,0,EUR,2026-11-01,2026-12-01,1", "MISSING"),
        ("c1,,10,0,0,EUR,2026-11-01,2026-12-01,1", "MISSING"),
        ("c1,E3,,0,0,EUR,2026-11-01,2026-12-01,1", "MISSING"),
        ("c1,E3,10,0,,EUR,2026-11-01,2026-12-01,1", "PAID_UNSAID"),
    ],
)
def test_a_charge_that_cannot_be_read(row: str, code: str) -> None:
    [problem] = charges_in(f"{CHARGE}\n{row}\n")
    assert (problem.line, problem.code) == (2, code)
    assert problem_message(problem)


def test_what_was_paid_is_never_guessed() -> None:
    text = (
        f"{CHARGE},corrects\nc1,E3,10,0,,EUR,2026-11-01,2026-12-01,1,\nc2,E3,10,0,0,EUR,2026-11-01,2026-12-01,1,\n"
        "c3,E3,-5,0,,EUR,2026-11-01,2026-12-01,1,c2\n"
    )
    found = charges_in(text)
    assert [(row.external_id, row.paid, row.corrects) for row in rows(found, Section.CHARGES)] == [
        ("c2", 0, ""),
        ("c3", 0, "c2"),
    ]
    [problem] = problems(found)
    assert (problem.line, problem_message(problem)) == (2, "settled is empty: write 0 where nothing was paid")


def test_case_44_dates_are_days_in_the_tenants_zone() -> None:
    [row] = rows(charges_in(f"{CHARGE}\nc1,E3,10.00,2.00,12.00,EUR,2026-11-01,2026-12-01,1\n"), Section.CHARGES)
    assert (row.period.start, row.period.end) == (at("2026-10-31T22:00Z"), at("2026-11-30T22:00Z"))
    assert (row.charged, row.tax, row.paid, row.charged_at) == (1200, 200, 1200, row.period.start)


def test_what_left_elsewhere_is_unsaid_where_it_is_empty() -> None:
    text = (
        f"{CHARGE},Refunded_Elsewhere,Оспорено,tenant,provider,provider_id\n"
        "c1,E3,10,0,10,EUR,2026-11-01,2026-12-01,1,2.50,0,X.example,stripe,sub_1\n"
        "c2,E3,10,0,10,EUR,2026-11-01,2026-12-01,1,,,,,\n"
        "c3,E3,10,0,10,EUR,2026-11-01,2026-12-01,1,,,other.example,,\n"
    )
    found = charges_in(text)
    one, other = rows(found, Section.CHARGES)
    assert (one.refunded_elsewhere, one.disputed, one.provider, one.provider_id) == (250, 0, "stripe", "sub_1")
    assert (other.refunded_elsewhere, other.disputed, other.provider) == (None, None, "")
    assert [(problem.code, problem.line, problem.data) for problem in problems(found)] == [
        ("NOT_OURS", 4, {"value": "other.example"})
    ]


@pytest.mark.parametrize("module", [users, products, charges])
def test_no_two_fields_of_a_file_have_one_header(module: Any) -> None:
    headers = [header for names in module.COLUMNS.values() for header in names]
    assert len(headers) == len(set(headers))
    assert all(header == header.casefold() for header in headers)
