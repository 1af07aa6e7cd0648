"""Tenants, people, memberships, partner tokens and the audit trail, for staff."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tenants.admin_base import FoldedSearch, NoLostUpdates, ReadOnlyAdmin, pretty, shown_once
from tenants.audit import record
from tenants.formatting import active_language
from tenants.models import AuditEvent, Membership, PartnerToken, Tenant, User
from tenants.staff import staff_caller
from tenants.tokens import mint, record_created, revoke_token, rotate_token

_OVERLAP = timedelta(days=7)
admin.site.site_header = admin.site.site_title = "Wayout"


@admin.register(User)
class PersonAdmin(UserAdmin):  # type: ignore[type-arg]
    list_display = ("username", "email", "first_name", "last_name", "is_staff", "is_active")
    fieldsets = (*(UserAdmin.fieldsets or ()), (_("Preferences"), {"fields": ("language", "phone")}))


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Membership
    extra = 0
    fields = readonly_fields = ("user", "role", "is_active")
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Memberships are given in their own list, which writes the audit trail."""
        return False


@admin.register(Tenant)
class TenantAdmin(NoLostUpdates, FoldedSearch):
    list_display = ("name", "domain", "time_zone", "language", "billing_contact_email")
    personal_fields = ("billing_contact_name", "billing_contact_email")
    search_fields = ("search_key",)
    inlines = (MembershipInline,)

    def has_delete_permission(self, request: HttpRequest, obj: Tenant | None = None) -> bool:
        """A tenant with a history stays."""
        return False


@admin.register(Membership)
class MembershipAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("user", "tenant", "role", "is_active")
    list_filter = ("role", "is_active")
    list_select_related = ("user", "tenant")
    autocomplete_fields = ("user", "tenant")
    search_fields = ("user__username", "user__email", "tenant__domain")

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> tuple[str, ...]:
        """Whose membership it is stays."""
        return ("user", "tenant") if obj else ()

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        """Save, and put it on the tenant's audit trail."""
        super().save_model(request, obj, form, change)
        _audit_membership("membership.changed" if change else "membership.given", obj, request)

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        """Take it away, and put that on the tenant's audit trail."""
        _audit_membership("membership.taken", obj, request)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        """The same, for many."""
        for membership in queryset:
            self.delete_model(request, membership)


class TokenForm(forms.ModelForm):  # type: ignore[type-arg]
    """Scopes as check boxes."""

    scopes = forms.MultipleChoiceField(
        label=_("scopes"), choices=PartnerToken.SCOPE_CHOICES, widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = PartnerToken
        fields = ("name", "scopes", "tenants", "expires_at")


@admin.register(PartnerToken)
class PartnerTokenAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = TokenForm
    list_display = ("name", "key_id", "scope_list", "expires_at", "last_used_at", "revoked_at")
    readonly_fields = ("key_id", "last_used_at", "revoked_at", "created_at", "created_by")
    autocomplete_fields = ("tenants",)
    actions = ("rotate", "revoke")

    @admin.display(description=_("scopes"))
    def scope_list(self, token: PartnerToken) -> str:
        """The scopes in one cell."""
        return ", ".join(token.scopes)

    def save_model(self, request: HttpRequest, obj: PartnerToken, form: Any, change: bool) -> None:
        """Mint a new token and show it: this once."""
        if not change:
            assert isinstance(request.user, User)
            obj.created_by = request.user
            messages.warning(request, _shown_once(obj.name, mint(obj)))
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Once the tenants are known, put a new token on their audit trails."""
        super().save_related(request, form, formsets, change)
        if not change:
            record_created(token=form.instance, caller=staff_caller(request), now=timezone.now())

    @admin.action(description=_("Rotate: make successors, the selected work on for a week"), permissions=["change"])
    def rotate(self, request: HttpRequest, queryset: QuerySet[PartnerToken]) -> None:
        """Show each successor, this once."""
        now = timezone.now()
        for token in queryset.filter(revoked_at=None):
            _token, text = rotate_token(token=token, overlap=_OVERLAP, caller=staff_caller(request), now=now)
            messages.warning(request, _shown_once(token.name, text))

    def has_delete_permission(self, request: HttpRequest, obj: PartnerToken | None = None) -> bool:
        """Tokens are revoked: what they did keeps their name."""
        return False

    @admin.action(description=_("Revoke the selected tokens"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[PartnerToken]) -> None:
        """End tokens at once."""
        now = timezone.now()
        caller = staff_caller(request)
        revoked = sum(revoke_token(token=token, caller=caller, now=now) for token in queryset)
        skipped = queryset.count() - revoked
        self.message_user(
            request,
            _("%(revoked)d revoked, %(skipped)d skipped (already revoked).") % {"revoked": revoked, "skipped": skipped},
        )


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ("at", "tenant", "action", "subject", "actor_kind", "actor_id", "position")
    list_filter = ("action", "actor_kind")
    list_select_related = ("tenant",)
    search_fields = ("=subject", "tenant__domain")
    show_full_result_count = False
    fields = (
        "tenant", "position", "at", "action", "subject", "actor_kind", "actor_id", "language", "correlation_id",
        "evidence",
        "personal_data", "previous_hash", "hash",
    )  # fmt: skip
    readonly_fields = ("evidence", "personal_data")

    @admin.display(description=_("evidence"))
    def evidence(self, event: AuditEvent) -> str:
        """What was shown and decided, readable."""
        return pretty(event.data)

    @admin.display(description=_("personal data"))
    def personal_data(self, event: AuditEvent) -> str:
        """Names and notes, unless they were erased."""
        personal = getattr(event, "personal", None)
        return pretty(personal.data) if personal else ""


def _shown_once(name: str, text: str) -> str:
    said = _("The token “%(name)s”, shown only now. Copy it to where it will be used:") % {"name": name}
    return shown_once(said, text)


def _audit_membership(action: str, membership: Membership, request: HttpRequest) -> None:
    caller = staff_caller(request)
    record(
        tenant_id=membership.tenant_id,
        at=timezone.now(),
        action=action,
        subject=f"Membership:{membership.pk}",
        caller=caller,
        language=active_language(),
        data={"person": membership.user_id, "role": membership.role, "active": membership.is_active},
        personal={"name": caller.name},
    )
