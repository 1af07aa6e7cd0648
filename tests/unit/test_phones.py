"""Phone numbers as people type them."""

from __future__ import annotations

import pytest

from common.errors import ExpectedError
from desk.errors import PhoneInvalid, PhoneKindUnsupported, PhoneRegionUnsupported
from desk.phones import international, masked, read_phone

EUROPE = ["BG", "DE", "FR", "GB"]


@pytest.mark.parametrize(
    ("text", "region", "e164"),
    [
        ("35924012345", "BG", "+35924012345"),  # case 56
        ("0888 123 456", "BG", "+359888123456"),
        ("00359888123456", "BG", "+359888123456"),
        ("+359 (0) 888 123 456", "BG", "+359888123456"),
        ("+447801076821", "GB", "+447801076821"),  # case 57
        ("447801076821", "GB", "+447801076821"),
        ("+44 7801076821", "GB", "+447801076821"),
        ("447801076821", "BG", "+447801076821"),
        ("０８８８ １２３ ４５６", "BG", "+359888123456"),
    ],
)
def test_one_kind_of_thing(text: str, region: str, e164: str) -> None:
    phone = read_phone(text, region, EUROPE)
    assert (phone.e164, phone.is_valid) == (e164, True)


@pytest.mark.parametrize(
    ("text", "region", "error"),
    [
        ("+1 555 123", "BG", PhoneInvalid),  # case 58
        ("0800 1234567", "BG", PhoneInvalid),
        ("call me", "BG", PhoneInvalid),
        ("", "BG", PhoneInvalid),
        ("112", "BG", PhoneInvalid),
        ("+15551234567", "BG", PhoneRegionUnsupported),
        ("+359 90 012345", "BG", PhoneKindUnsupported),
        ("0700 12 345", "BG", PhoneKindUnsupported),
    ],
)
def test_refused(text: str, region: str, error: type[ExpectedError]) -> None:
    with pytest.raises(error) as raised:
        read_phone(text, region, EUROPE)
    assert raised.value.path == ["phone"]


def test_a_desk_without_a_list_calls_every_country() -> None:
    assert read_phone("+15551234567", "BG", []).e164 == "+15551234567"


def test_possible_but_not_valid_is_taken_with_a_warning() -> None:
    phone = read_phone("+359 887 111 11", "BG", EUROPE)
    assert (phone.e164, phone.is_valid) == ("+35988711111", False)


def test_an_extension_is_kept() -> None:
    assert read_phone("0888123456 ext. 12", "BG", EUROPE).extension == "12"


@pytest.mark.parametrize(
    ("e164", "shown"), [("+359888123456", "+359 88 *** **56"), ("+15551234567", "+1 55 *** ***67"), ("", "")]
)
def test_masked(e164: str, shown: str) -> None:
    assert masked(e164) == shown


def test_international() -> None:
    assert international("+359888123456") == "+359 88 812 3456"
    assert international("") == ""
