"""The buttons and forms of a case, one row each: what is done, who may, and where it leads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from desk.admin import steps
from desk.admin.forms import AttemptForm, CloseForm, CloseWithoutCallForm, HandOverForm, MoveForm, ReopenForm
from desk.admin.steps import ERASE, HAND_OVER, WORK, Act, reopening, why_not
from desk.models import CallbackRequest

LIST, CASE = "admin:desk_callbackrequest_changelist", "admin:desk_callbackrequest_change"
_NOT_ERASED = _("Only a closed request that was not erased yet can be erased.")


@dataclass(frozen=True, slots=True)
class Button:
    """A button of the case: what it does, who may, and where it leads."""

    act: Act
    permission: str
    leads_to: str
    refused: Callable[[int], Any]


BUTTONS = {
    "claim": Button(steps.claim, WORK, CASE, why_not),
    "release": Button(steps.release, WORK, LIST, why_not),
    "erase": Button(steps.erase, ERASE, CASE, lambda _pk: _NOT_ERASED),
}


@dataclass(frozen=True, slots=True)
class CaseForm:
    """A form of the case: what is done with it, who may send it, and whether the case stays open before them."""

    act: Act
    make: Callable[..., forms.Form]
    may: Callable[[CallbackRequest], str] = lambda _row: WORK
    stays: bool = False
    # Whether only who has claimed it may send it; supervisors may where they may without.
    claimed: bool = True
    supervisors_too: bool = False


FORMS = {
    "close": CaseForm(steps.close, CloseForm),
    "attempt": CaseForm(steps.log, AttemptForm),
    "move": CaseForm(steps.move, MoveForm, stays=True),
    "close_without_call": CaseForm(steps.close_uncalled, CloseWithoutCallForm, supervisors_too=True),
    "hand_over": CaseForm(steps.hand_over, HandOverForm, may=lambda _row: HAND_OVER, stays=True, claimed=False),
    "reopen": CaseForm(steps.reopen, ReopenForm, may=reopening, stays=True, claimed=False),
}


def form_of(name: str, row: CallbackRequest, data: Any = None, **given: Any) -> forms.Form:
    """A form of the case. Several stand on one page: each has ids of its own."""
    make = FORMS[name].make
    about = {"request": row} if make in (MoveForm, ReopenForm) else {}
    return make(data, auto_id=f"id_{name}_%s", **about, **given)
