"""The forms of one callback request: what came of the call, when to call instead, who shall call."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from common.choices import choices_of
from common.formatting import format_span
from common.languages import language_choices
from common.whole_numbers import WholeNumberField
from desk.attempts import LOGGED, CallOutcome
from desk.codes import DISPOSITIONS, CloseReason
from desk.models import CallbackRequest
from desk.selectors import open_windows
from desk.services.contacts import LONGEST_NAME, LONGEST_NOTE
from desk.services.times import read_time_zone
from desk.windows import HORIZON
from tenants.models import User

_NONE: list[Any] = [("", "---")]


def agents() -> QuerySet[User]:
    by_right = Q(user_permissions__codename="work_callbacks") | Q(groups__permissions__codename="work_callbacks")
    found = User.objects.filter(by_right | Q(is_superuser=True), is_staff=True, is_active=True)
    return found.distinct().order_by("username")


class SeenForm(forms.Form):
    """Carries up to where the page has shown the request's trail."""

    seen = WholeNumberField(widget=forms.HiddenInput)


class DispositionForm(forms.Form):
    disposition = forms.TypedChoiceField(label=_("What came of the call"), coerce=CloseReason)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["disposition"].choices = [*_NONE, *choices_of(DISPOSITIONS)]  # type: ignore[attr-defined]


class CloseForm(DispositionForm, SeenForm):
    """The last call: what came of it."""


class BulkCloseForm(DispositionForm):
    """Why there will be no call, and whether the customer is told."""

    tell = forms.TypedChoiceField(
        label=_("Mail to the customer"),
        choices=[*_NONE, ("yes", _("that nobody will call any more")), ("no", _("no mail"))],
        coerce=lambda said: said == "yes",
        help_text=_("Where a time was booked, the mail also takes it out of their calendar."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["disposition"].label = _("Why")


class CloseWithoutCallForm(BulkCloseForm, SeenForm):
    pass


class ReopenForm(SeenForm):
    """Why a request that is over is taken up again; and whom to call, where that was erased."""

    reason = forms.CharField(
        label=_("Why"), max_length=LONGEST_NOTE, help_text=_("Kept as evidence. No names or numbers.")
    )
    phone = forms.CharField(label=_("phone"), max_length=50, help_text=_("The number was erased: ask for it again."))
    contact_name = forms.CharField(label=_("contact name"), max_length=LONGEST_NAME, required=False)

    def __init__(self, *args: Any, request: CallbackRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if request.number_is_wrong:
            self.fields["phone"].help_text = _("Nobody answers to the number that we have: ask for another one.")
        elif request.phone:
            del self.fields["phone"], self.fields["contact_name"]


class AttemptForm(SeenForm):
    """A call that was not the last."""

    outcome = forms.TypedChoiceField(label=_("What came of the call"), coerce=CallOutcome)
    later = forms.DateTimeField(
        label=_("Call later"),
        required=False,
        widget=forms.DateTimeInput({"type": "datetime-local"}),
        help_text=_("In the time of the desk, not of the customer."),
    )
    other_language = forms.ChoiceField(label=_("Language"), choices=language_choices)
    note = forms.CharField(label=_("Note"), max_length=LONGEST_NOTE, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["outcome"].choices = [*_NONE, *choices_of(LOGGED)]  # type: ignore[attr-defined]


class MoveForm(SeenForm):
    """Another window, and another number where it was corrected."""

    window = forms.TypedChoiceField(label=_("When"), required=False, empty_value=None, coerce=datetime.fromisoformat)
    phone = forms.CharField(
        label=_("phone"), max_length=50, required=False, help_text=_("Only where it was corrected.")
    )

    def __init__(self, *args: Any, request: CallbackRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zone = read_time_zone(request.time_zone)
        found = open_windows(zone, timezone.now(), HORIZON.days, but=request.pk)
        self.fields["window"].choices = [  # type: ignore[attr-defined]
            ("", _("as soon as possible")),
            *((w.start.astimezone(UTC).isoformat(), format_span(w.start, w.end, zone)) for w in found),
        ]


class HandOverForm(forms.Form):
    agent = forms.ModelChoiceField(label=_("Agent"), queryset=User.objects.none())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["agent"].queryset = agents()  # type: ignore[attr-defined]
