"""Endpoints and deliveries for staff."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from common.admin import AuditedAdmin, CappedPaginator, Changes, ReadOnlyAdmin, pretty, shown_once
from common.messages import error_message, fill
from common.outcomes import act_on_each
from tenants.models import PartnerToken
from tenants.staff import staff_caller
from tenants.tokens import live_tokens
from webhooks import endpoints
from webhooks.errors import AddressRefused, TooManyEndpoints
from webhooks.kinds import known_kinds
from webhooks.models import Delivery, Endpoint
from webhooks.sending import check_url
from webhooks.signing import why_unreadable

_A_WEEK = timedelta(days=7)


def _kinds() -> list[tuple[str, str]]:
    return [(kind.value, kind.value) for kind in known_kinds().values()]


class EndpointForm(forms.ModelForm):  # type: ignore[type-arg]
    events = forms.MultipleChoiceField(
        label=capfirst(_("events")), choices=_kinds, required=False, widget=forms.CheckboxSelectMultiple,
        help_text=_("None chosen: all of them."),
    )  # fmt: skip

    class Meta:
        model = Endpoint
        fields = ("events", "contact_email", "language")

    def clean(self) -> dict[str, Any]:
        """An address that was right once may be refused now."""
        if self.instance.pk:
            _require_allowed(self.instance.url)
        return super().clean() or self.cleaned_data


class NewEndpointForm(EndpointForm):
    """Whose it is, by one of the partner's tokens; and its address, which stays."""

    token = forms.ModelChoiceField(PartnerToken.objects.none(), label=capfirst(_("partner")))
    url = forms.CharField(label=capfirst(_("address")), max_length=500)

    class Meta:
        model = Endpoint
        fields = ("url", "events", "contact_email", "language")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["token"].queryset = live_tokens(timezone.now()).order_by("name", "pk")  # type: ignore[attr-defined]

    def clean_url(self) -> str:
        """An address that events may go to."""
        url: str = self.cleaned_data["url"]
        _require_allowed(url)
        return url

    def clean(self) -> dict[str, Any]:
        """One endpoint per partner and address, ten per partner."""
        cleaned = super().clean()
        if token := cleaned.get("token"):
            own = Endpoint.objects.filter(partner=token.partner)
            if own.filter(url=cleaned.get("url")).exists():
                self.add_error("url", _("The partner has this address already."))
            elif own.count() >= endpoints.MAX_ENDPOINTS:
                self.add_error("url", error_message(TooManyEndpoints(count=endpoints.MAX_ENDPOINTS)))
        return cleaned


@admin.register(Endpoint)
class EndpointAdmin(AuditedAdmin):
    form = EndpointForm
    personal_fields = ("contact_email",)
    list_display = ("url", "partner_name", "state", "waiting", "delivered_at", "failing_since", "last_problem")
    list_filter = (("disabled_at", admin.EmptyFieldListFilter), ("failing_since", admin.EmptyFieldListFilter))
    search_fields = ("url",)
    readonly_fields = (
        "state", "failing_since", "last_problem", "retry_at", "disabled_at", "delivered_at", "previous_until", "created_at",
    )  # fmt: skip
    actions = ("test", "rotate", "resume", "replay_week")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Endpoint]:
        return endpoints.with_waiting(super().get_queryset(request))

    def get_form(self, request: HttpRequest, obj: Endpoint | None = None, change: bool = False, **kwargs: Any) -> Any:
        """A new one asks for more."""
        return super().get_form(request, obj, change, **(kwargs if obj else {"form": NewEndpointForm, **kwargs}))

    def get_fields(self, request: HttpRequest, obj: Endpoint | None = None) -> tuple[str, ...]:
        """Whose it is and where to come first; how it stands, once it is there."""
        chosen = ("events", "contact_email", "language")
        return ("url", *chosen, *self.readonly_fields) if obj else ("token", "url", *chosen)

    def get_readonly_fields(self, request: HttpRequest, obj: Endpoint | None = None) -> tuple[str, ...]:
        """The address of an endpoint stays: its partner knows it by that."""
        return (*self.readonly_fields, "url") if obj else ()

    @admin.display(description=_("partner"))
    def partner_name(self, endpoint: Endpoint) -> str:
        token = PartnerToken.objects.filter(partner=endpoint.partner).order_by("-pk").first()
        return token.name if token else endpoint.partner

    @admin.display(description=_("state"))
    def state(self, endpoint: Endpoint) -> Any:
        if endpoint.disabled_at:
            return _("disabled")
        if missing := why_unreadable(endpoint):
            return _("nothing can be signed: name the key %(key)s again, or rotate the secret") % {"key": missing}
        return _("failing") if endpoint.failing_since else _("active")

    @admin.display(description=_("waiting"), ordering="waiting_count")
    def waiting(self, endpoint: Any) -> int:
        count: int = endpoint.waiting_count
        return count

    def save_model(self, request: HttpRequest, obj: Endpoint, form: Any, change: bool) -> None:
        """By the service, which writes the audit trail; a new secret is shown this once."""
        partner = obj.partner if change else form.cleaned_data["token"].partner
        made, secret = endpoints.register(
            partner=partner,
            url=obj.url,
            events=form.cleaned_data["events"],
            contact_email=obj.contact_email,
            language=obj.language,
            caller=staff_caller(request),
            now=timezone.now(),
        )
        obj.pk, obj.partner = made.pk, made.partner
        if secret:
            messages.warning(request, _shown_once(made, secret))

    def record_change(self, request: HttpRequest, obj: Endpoint, verb: str, changes: Changes) -> None:
        """The service has recorded it."""

    def delete_model(self, request: HttpRequest, obj: Endpoint) -> None:
        """With an entry on the audit trail."""
        endpoints.remove(endpoint=obj, caller=staff_caller(request), now=timezone.now())

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What waits goes with it: staff who may remove an endpoint may remove that."""
        objects, counts, _permissions, protected = super().get_deleted_objects(objs, request)
        return objects, counts, set(), protected

    @admin.action(description=_("Send a test now"), permissions=["change"])
    def test(self, request: HttpRequest, queryset: QuerySet[Endpoint]) -> None:
        for endpoint in queryset:
            answer = endpoints.test(endpoint=endpoint, caller=staff_caller(request), now=timezone.now())
            said = {"url": endpoint.url, "problem": answer.problem}
            if answer.problem == endpoints.STILL_WAITING:
                messages.warning(
                    request, _("%(url)s has not answered yet. What comes of it will stand on its page.") % said
                )
            elif answer.arrived:
                messages.success(request, fill(gettext("The test arrived at %(url)s."), said))
            else:
                messages.error(request, fill(gettext("The test did not arrive at %(url)s: %(problem)s."), said))

    @admin.action(description=_("Rotate the secret: the old one signs along for a day"), permissions=["change"])
    def rotate(self, request: HttpRequest, queryset: QuerySet[Endpoint]) -> None:
        """Show each new secret, this once."""
        caller, now = staff_caller(request), timezone.now()

        def rotate(endpoint: Endpoint) -> bool:
            messages.warning(
                request, _shown_once(endpoint, endpoints.rotate_secret(endpoint=endpoint, caller=caller, now=now))
            )
            return True

        act_on_each(request, queryset, rotate, skipped="", name=lambda endpoint: endpoint.url)

    @admin.action(description=_("Go on: send what did not arrive"), permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Endpoint]) -> None:
        self._resume(request, queryset, None)

    @admin.action(description=_("Send the events of the last seven days again"), permissions=["change"])
    def replay_week(self, request: HttpRequest, queryset: QuerySet[Endpoint]) -> None:
        """Also those that arrived: receivers know them by their ids."""
        self._resume(request, queryset, _A_WEEK)

    def _resume(self, request: HttpRequest, queryset: QuerySet[Endpoint], back: timedelta | None) -> None:
        now = timezone.now()
        since = now - back if back else None
        count = sum(
            endpoints.resume(endpoint=endpoint, since=since, caller=staff_caller(request), now=now)
            for endpoint in queryset
        )
        text = ngettext("%(count)d event is sent.", "%(count)d events are sent.", count) % {"count": count}
        messages.success(request, text)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = (
        "event_type",
        "subject",
        "version",
        "endpoint",
        "status",
        "attempts",
        "problem",
        "tried_at",
        "delivered_at",
    )
    list_filter = ("status", "event__type")
    list_select_related = ("event", "endpoint")
    search_fields = ("=event__message_id", "=event__subject")
    search_help_text = _("The id of an event (evt_...) or of a subscription (sub_...)")
    ordering = ("-pk",)
    fields = (
        "event_type", "message_id", "subject", "version", "at", "endpoint", "status", "attempts", "problem", "tried_at", "delivered_at", "body",
    )  # fmt: skip
    readonly_fields = fields
    paginator = CappedPaginator
    show_full_result_count = False
    actions = ("send_again",)

    @admin.display(description=_("event"))
    def event_type(self, delivery: Delivery) -> str:
        return delivery.event.type

    @admin.display(description=_("id"))
    def message_id(self, delivery: Delivery) -> str:
        return delivery.event.message_id

    @admin.display(description=_("subject"))
    def subject(self, delivery: Delivery) -> str:
        return delivery.event.subject

    @admin.display(description=_("version"))
    def version(self, delivery: Delivery) -> int:
        return delivery.event.version

    @admin.display(description=_("when"))
    def at(self, delivery: Delivery) -> Any:
        return delivery.event.at

    @admin.display(description=_("what"))
    def body(self, delivery: Delivery) -> str:
        return pretty(delivery.event.data)

    @admin.action(description=_("Send again"), permissions=["send"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        """Also those that arrived; to a disabled endpoint when it goes on."""
        count = endpoints.send_again(deliveries=queryset, caller=staff_caller(request), now=timezone.now())
        text = ngettext("%(count)d event is sent.", "%(count)d events are sent.", count) % {"count": count}
        messages.success(request, text)

    def has_send_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("webhooks.change_endpoint")


def _require_allowed(url: str) -> None:
    """Raise ValidationError for an address that events may not go to."""
    try:
        check_url(url, private=settings.WAYOUT_WEBHOOK_PRIVATE)
    except AddressRefused as refused:
        raise forms.ValidationError(error_message(refused)) from None


def _shown_once(endpoint: Endpoint, secret: str) -> str:
    said = _("The secret of %(url)s, shown only now. Copy it to where it will be used:") % {"url": endpoint.url}
    return shown_once(said, secret)
