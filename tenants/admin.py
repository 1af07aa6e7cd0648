"""Tenants, people, memberships, partner tokens and the audit trail, for staff."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from tenants.models import AuditEvent, Membership, PartnerToken, Tenant, User
from tenants.readonly import ReadOnlyAdmin
from tenants.search import fold
from tenants.tokens import mint, revoke_token

admin.site.site_header = admin.site.site_title = "Wayout"


@admin.register(User)
class PersonAdmin(UserAdmin):  # type: ignore[type-arg]
    list_display = ("username", "email", "first_name", "last_name", "is_staff", "is_active")
    fieldsets = (*(UserAdmin.fieldsets or ()), (_("Preferences"), {"fields": ("language", "phone")}))


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Membership
    extra = 0
    autocomplete_fields = ("user",)


@admin.register(Tenant)
class TenantAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("name", "domain", "time_zone", "language", "billing_contact_email")
    search_fields = ("search_key",)
    inlines = (MembershipInline,)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Tenant], search_term: str
    ) -> tuple[QuerySet[Tenant], bool]:
        """Search as stored: in any case and either alphabet."""
        return super().get_search_results(request, queryset, fold(search_term))

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
    actions = ("revoke",)

    @admin.display(description=_("scopes"))
    def scope_list(self, token: PartnerToken) -> str:
        """The scopes in one cell."""
        return ", ".join(token.scopes)

    def save_model(self, request: HttpRequest, obj: PartnerToken, form: Any, change: bool) -> None:
        """Mint a new token and show it: this once."""
        if not change:
            assert isinstance(request.user, User)
            obj.created_by = request.user
            text = mint(obj)
            shown = format_html(
                "{} <code>{}</code>", _("The token, shown only now. Copy it to where it will be used:"), text
            )
            messages.warning(request, shown)
        super().save_model(request, obj, form, change)

    def has_delete_permission(self, request: HttpRequest, obj: PartnerToken | None = None) -> bool:
        """Tokens are revoked: what they did keeps their name."""
        return False

    @admin.action(description=_("Revoke the selected tokens"))
    def revoke(self, request: HttpRequest, queryset: QuerySet[PartnerToken]) -> None:
        """End tokens at once."""
        now = timezone.now()
        revoked = sum(revoke_token(token, now) for token in queryset)
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
        "tenant", "position", "at", "action", "subject", "actor_kind", "actor_id", "language", "evidence",
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


def pretty(data: Any) -> str:
    """JSON for reading, in a block of its own."""
    return format_html("<pre>{}</pre>", json.dumps(data, indent=2, ensure_ascii=False))
