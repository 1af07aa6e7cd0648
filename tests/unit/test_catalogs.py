"""Every sentence exists in every language, whole, with the same placeholders."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date

import pytest
from babel.messages import Message
from django.utils import translation
from django.utils.formats import date_format

from billing.proration import NoRefundReason
from common.formatting import format_day
from common.languages import Language
from common.messages import fill
from subscriptions.messages.quotes import no_refund_sentence
from subscriptions.policy.facts import Mode
from tests.builders import NOW, PERIOD, SOFIA
from tests.catalogs import APPS, KEYWORDS, ROOT, TRANSLATED, catalog, messages

PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")
NUMBERS = re.compile(r"%\((\w+)\)\d*d")
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


# What a sentence goes on with after a value that has a full stop of its own.
ENDS_IN_VALUE = re.compile(r"%\((\w+)\)s\.(?!\.)")
# Never: amounts, references, zones, migrations.
PLAIN = {"email", "left", "migration", "reference", "role", "zone"}
TODAY = date(2026, 12, 20)


@pytest.mark.parametrize("code", Language)
def test_a_date_and_a_sentence_end_in_one_full_stop(code: Language) -> None:
    with translation.override(code.value):
        day, company = format_day(TODAY), "Rila Ltd."
    found = 0
    for message in catalog(code.value) if code.value in TRANSLATED else BG:
        for text in (texts if code.value in TRANSLATED else ids)(message) if message.id else ():
            for value in (day, company):
                said = fill(text, defaultdict(lambda value=value: value, dict.fromkeys(NUMBERS.findall(text), 1)))
                found += bool(ENDS_IN_VALUE.search(text))
                assert ".." not in said.replace("...", ""), text
                assert said.count(value) == len(re.findall(r"%\(\w+\)s", text)), text
    assert found > 20


def test_other_values_leave_a_sentence_its_full_stop() -> None:
    assert fill("Until %(when)s.", {"when": "10:00 (Sofia)"}) == "Until 10:00 (Sofia)."
    assert (
        fill("Until %(date)s. Then %(n)d%%.", {"date": "20 декември 2026 г.", "n": 5})
        == "Until 20 декември 2026 г. Then 5%."
    )


def _formats(tree: ast.AST) -> Iterator[ast.expr]:
    """What is translated and then formatted by ``%``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Call):
            called = node.left.func
            if isinstance(called, ast.Name) and called.id in KEYWORDS:
                yield node.left


def test_sentences_that_end_in_a_value_are_filled() -> None:
    """And those whose text is not seen where they are said."""
    odd = []
    for app in APPS:
        for path in app.rglob("*.py"):
            for call in _formats(ast.parse(path.read_text())):
                said = ast.unparse(call)
                seen = any(isinstance(node, ast.Constant) for node in ast.walk(call))
                if set(ENDS_IN_VALUE.findall(said)) - PLAIN or not seen:
                    odd.append(f"{path.relative_to(ROOT)}: {said}")
    assert not odd


def test_no_template_ends_a_sentence_in_a_date() -> None:
    """There nobody looks whether a value has a full stop: only these may stand before one."""
    named = set()
    for app in APPS:
        for path in app.rglob("*.html"):
            said = path.read_text()
            named |= set(re.findall(r"\{\{ ?([\w.]+)[^}]*\}\}\.", said)) | set(ENDS_IN_VALUE.findall(said))
    assert named <= PLAIN


def test_why_nothing_comes_back_ends_in_one_full_stop() -> None:
    with translation.override("bg"):
        said = no_refund_sentence(NoRefundReason.PERIOD_END, Mode.AT_PERIOD_END, PERIOD.end, SOFIA, None)
    assert " ".join(said.split()).endswith("до 1 декември 2026 г.")
