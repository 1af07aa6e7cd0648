"""Every expected error: one class with a code, a sentence in every language, and the data that the sentence takes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation

from common.errors import ExpectedError, Plural
from common.messages import error_message
from tenants.callers import Caller, CallerKind, Scope, refusal

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for app in ROOT.glob("*/apps.py")
    for path in app.parent.rglob("errors.py")
    if "graphql" not in path.parts
)
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")
SAMPLES = {"int": 5, "float": 5.0, "str": "2026"}


def errors(of: type[ExpectedError] = ExpectedError) -> Iterator[type[ExpectedError]]:
    """The classes below one, without those that a test made up."""
    for kind in of.__subclasses__():
        if kind.__module__ in MODULES:
            yield kind
            yield from errors(kind)


for module in MODULES:
    import_module(module)
EVERY = sorted(set(errors()), key=lambda kind: kind.__name__)


def example(kind: type[ExpectedError]) -> ExpectedError:
    """One with something in everything that it is told."""
    _self, *parameters = inspect.signature(kind.__init__).parameters.values()
    told = {p.name: SAMPLES[str(p.annotation)] for p in parameters if p.kind is not p.VAR_POSITIONAL}
    return kind(**told)  # type: ignore[arg-type]


def placeholders(kind: type[ExpectedError]) -> set[str]:
    said = kind.sentence
    return set(PLACEHOLDER.findall(said.one + said.many if isinstance(said, Plural) else said))


@pytest.mark.parametrize("kind", [kind for kind in EVERY if hasattr(kind, "sentence")])
def test_every_error_is_said_in_every_language_with_its_data(kind: type[ExpectedError]) -> None:
    error, said = example(kind), set()
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            sentence = error_message(error)
        assert "%(" not in sentence
        assert all(str(getattr(error, name)) in sentence for name in placeholders(kind))
        said.add(sentence)
    is_somebody_elses = kind.sentence == "%(why)s"
    assert len(said) == (1 if is_somebody_elses else len(settings.LANGUAGES))


@pytest.mark.parametrize("kind", [kind for kind in EVERY if not hasattr(kind, "sentence")])
def test_what_says_nothing_itself_groups_others_and_is_not_raised(kind: type[ExpectedError]) -> None:
    assert kind.__subclasses__()
    sources = (path.read_text() for app in ROOT.glob("*/apps.py") for path in app.parent.rglob("*.py"))
    assert not [text for text in sources if re.search(rf"(raise|return) {kind.__name__}\b", text)]


def test_a_code_is_one_error_and_its_variants() -> None:
    named = [kind for kind in EVERY if "code" in vars(kind)]
    codes = [kind.code for kind in named]
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"[A-Z]+(_[A-Z]+)*", code) for code in codes)


def test_a_count_decides_between_one_and_many() -> None:
    from common.errors import TextTooLong

    assert error_message(TextTooLong(limit=1)) == "At most 1 character."
    assert error_message(TextTooLong(limit=2)) == "At most 2 characters."


@pytest.mark.parametrize("name", MODULES)
def test_a_module_draws_its_tree(name: str) -> None:
    module = import_module(name)
    own = {kind.__name__ for kind in EVERY if kind.__module__ == name}
    drawn = set(re.findall(r"[├└]── (\w+)", module.__doc__ or ""))
    assert own <= drawn <= set(vars(module))


def test_the_api_knows_every_code_and_says_what_it_is() -> None:
    from portal.graphql.types.problems import ProblemCode

    assert {code.value for code in ProblemCode} == {kind.code for kind in EVERY}
    values = ProblemCode.__strawberry_definition__.values  # type: ignore[attr-defined]
    assert [value.name for value in values if not value.description.endswith(".")] == []


@pytest.mark.parametrize(
    ("kind", "scope", "said"),
    [
        (CallerKind.PARTNER, Scope.CANCEL, ["It takes the scope CANCEL.", "Нужен е обхват CANCEL."]),
        (CallerKind.PERSON, Scope.CANCEL, ["It takes the role of an admin.", "Нужна е роля на администратор."]),
        # No role has it.
        (CallerKind.PERSON, Scope.SETTLE, ["", ""]),
    ],
)
def test_whoever_may_not_is_told_what_would_help_them(kind: CallerKind, scope: Scope, said: list[str]) -> None:
    starts = ("You are not allowed to do this.", "Нямате право на това действие.")
    error = refusal(Caller(kind, 1, "Ada"), scope)
    for language, start, more in zip(("en", "bg"), starts, said, strict=True):
        with translation.override(language):
            assert error_message(error) == f"{start} {more}".strip()
