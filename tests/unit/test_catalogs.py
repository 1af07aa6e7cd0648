"""Every sentence exists in every language, whole, with the same placeholders."""

from __future__ import annotations

import re

import pytest
from babel.messages import Message
from django.utils import translation
from django.utils.formats import date_format

from tests.builders import NOW
from tests.catalogs import TRANSLATED, catalog, messages

PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")
BG = catalog("bg")
each_language = pytest.mark.parametrize("code", TRANSLATED)


def texts(message: Message) -> tuple[str, ...]:
    return message.string if isinstance(message.string, tuple) else (message.string,)


def ids(message: Message) -> tuple[str, ...]:
    return message.id if isinstance(message.id, tuple) else (message.id,)


@each_language
def test_the_catalog_has_exactly_the_sentences_there_are(code: str) -> None:
    said = {message if isinstance(message, str) else message[0] for message in messages()}
    known = {ids(message)[0] for message in catalog(code) if message.id}
    assert known == said, "run `make messages` and translate what is new"


@each_language
def test_nothing_is_empty_or_fuzzy(code: str) -> None:
    assert not [message.id for message in catalog(code) if message.id and (message.fuzzy or not all(texts(message)))]


def test_plurals_have_two_forms() -> None:
    assert BG.plural_expr == "(n != 1)"
    assert not [m.id for m in BG if m.pluralizable and (len(texts(m)) != 2 or texts(m)[0] == texts(m)[1])]


@each_language
def test_placeholders_are_the_same_on_both_sides(code: str) -> None:
    wrong = [
        message.id
        for message in catalog(code)
        if message.id
        and any(set(PLACEHOLDER.findall(t)) != set(PLACEHOLDER.findall(ids(message)[0])) for t in texts(message))
    ]
    assert not wrong


def test_bulgarian_is_written_in_cyrillic() -> None:
    latin = [m.id for m in BG if m.id and m.id != "API" and not all(re.search("[а-яА-Я]", t) for t in texts(m))]
    assert not latin


@pytest.mark.parametrize(
    ("word", "bulgarian"),
    [
        ("subscription", "абонамент"),
        ("license", "лиценз"),
        ("assigned", "присвоен"),
        ("trial", "пробен период"),
        ("Billing", "Фактуриране"),
        ("refund", "възстановяване на сума"),
        ("callback request", "заявка за обратно обаждане"),
        ("Claim", "Поеми"),
        ("Release", "Освободи"),
        ("reference", "референтен номер"),
        ("Undo the cancellation", "Отмени анулирането"),
        ("Keep subscription", "Запази абонамента"),
        ("Back", "Назад"),
        ("Products & services", "Продукти и услуги"),
    ],
)
def test_glossary(word: str, bulgarian: str) -> None:
    with translation.override("bg"):
        assert translation.gettext(word) == bulgarian


def test_no_button_is_called_otkaz() -> None:
    # The legal word for withdrawal, and the opposite of what a dismiss button does.
    assert not [m.id for m in BG if m.id and any("Отказ" in t for t in texts(m))]


def test_bulgarian_dates_of_the_admin() -> None:
    with translation.override("bg"):
        assert date_format(NOW, "DATETIME_FORMAT") == "25 ноември 2026 г., 10:00"
        assert date_format(NOW, "SHORT_DATE_FORMAT") == "25.11.2026"
