"""Phone numbers as people type them. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import phonenumbers
from phonenumbers import PhoneNumberType

from desk.errors import PhoneInvalid, PhoneKindUnsupported, PhoneRegionUnsupported

_UNSUPPORTED_KINDS = (PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST)


@dataclass(frozen=True, slots=True)
class Phone:
    """A number in E.164. ``is_valid`` is False for a possible number outside the known ranges: staff are warned."""

    e164: str
    extension: str
    is_valid: bool


def read_phone(text: str, region: str, desk_regions: Collection[str]) -> Phone:
    """Read ``text`` as typed in ``region`` (a country code); ``desk_regions`` empty: the desk calls every country.

    Any possible number is taken, since numbering plans move faster than metadata. Raises PhoneInvalid,
    PhoneRegionUnsupported, or PhoneKindUnsupported for premium-rate and shared-cost numbers.
    """
    number = _parse(text, region)
    if number is None or not phonenumbers.is_possible_number(number):
        raise PhoneInvalid("phone")
    if phonenumbers.number_type(number) in _UNSUPPORTED_KINDS:
        raise PhoneKindUnsupported("phone")
    if desk_regions and not _regions(number) & set(desk_regions):
        raise PhoneRegionUnsupported("phone")
    return Phone(
        e164=phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164),
        extension=number.extension or "",
        is_valid=phonenumbers.is_valid_number(number),
    )


def masked(e164: str) -> str:
    """+359 88 *** **56: enough to recognize a number, too little to dial it."""
    if not e164:
        return ""
    number = phonenumbers.parse(e164)
    national = phonenumbers.national_significant_number(number)
    hidden = "*" * max(0, len(national) - 4)
    groups = [hidden[i : i + 3] for i in range(0, len(hidden), 3)]
    return f"+{number.country_code} {national[:2]} {' '.join(groups)}{national[-2:]}"


def international(e164: str) -> str:
    """+359 88 812 3456: for people who may see it."""
    if not e164:
        return ""
    return phonenumbers.format_number(phonenumbers.parse(e164), phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def _parse(text: str, region: str) -> phonenumbers.PhoneNumber | None:
    as_typed = _try(text, region)
    if as_typed is not None and phonenumbers.is_valid_number(as_typed):
        return as_typed
    # "447801076821": an international number whose plus got lost.
    with_plus = _try("+" + text.strip(), None)
    if with_plus is not None and phonenumbers.is_valid_number(with_plus):
        return with_plus
    return as_typed


def _try(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None


def _regions(number: phonenumbers.PhoneNumber) -> set[str]:
    exact = phonenumbers.region_code_for_number(number)
    return {exact} if exact else set(phonenumbers.region_codes_for_country_code(number.country_code or 0))
