"""Tenants, people, memberships, partner tokens and the audit trail, for staff."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common.admin import AuditedAdmin, Changes, FoldedSearch, ReadOnlyAdmin, pretty, shown_once
from common.attention import Sign, shows_signs
from common.forms import ExternalIdForm
from common.outcomes import act_on_each
from tenants.forms import NewPersonForm, PersonForm, TokenForm
from tenants.models import AuditEvent, Membership, PartnerToken, Tenant, User
from tenants.sessions import end_sessions
from tenants.staff import has_more_rights, staff_caller
from tenants.tokens import TokenEnded, ending_tokens, mint, revoke_token, rotate_token, trails_of

_OVERLAP = timedelta(days=7)
HIDDEN = "***"
admin.site.site_header = admin.site.site_title = "Wayout"


# What decides who may do what: superusers' to give.
RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


@admin.register(User)
class PersonAdmin(AuditedAdmin, UserAdmin):  # type: ignore[type-arg]
    form, add_form = PersonForm, NewPersonForm
    list_display = ("username", "email", "first_name", "last_name", "is_staff", "is_active")
    fieldsets = (*(UserAdmin.fieldsets or ()), (_("Preferences"), {"fields": ("language", "phone")}))
    readonly_fields = ("last_login", "date_joined", "hidden_phone")
    personal_fields = ("username", "first_name", "last_name", "email", "phone")

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Rights are superusers' to give, also when somebody sends what the page does not offer."""
        return self.readonly_fields if request.user.is_superuser else (*self.readonly_fields, *RIGHTS)

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Who only looks sees no number."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        *others, (label, _fields) = fieldsets
        return [*others, (label, {"fields": ("language", "hidden_phone")})]

    @admin.display(description=_("phone"))
    def hidden_phone(self, person: User) -> str:
        return HIDDEN if person.phone else ""

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Not of somebody who may do more: whoever sets their password or address could become them."""
        return super().has_change_permission(request, obj) and not _is_above(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not _is_above(request, obj)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """With an entry on the trail, which says that there is another one."""
        with transaction.atomic():
            person = self.get_object(request, unquote(id))
            response: HttpResponse = super().user_change_password(request, id, form_url)
            if person and not User.objects.filter(pk=person.pk, password=person.password).exists():
                self.record_change(request, person, "password_set", {})
                end_sessions(person.pk, but=request.session.session_key)
            return response

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        """With the roles, each of which is on its tenant's trail."""
        with transaction.atomic():
            memberships = self.admin_site.get_model_admin(Membership)
            memberships.delete_queryset(request, obj.memberships.all())
            super().delete_model(request, obj)


def _is_above(request: HttpRequest, person: User | None) -> bool:
    return isinstance(request.user, User) and person is not None and has_more_rights(person, request.user)


admin.site.unregister(Group)


@admin.register(Group)
class GroupsAdmin(AuditedAdmin, GroupAdmin):
    """What a group may do decides what its members may."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Superusers."""
        return request.user.is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Superusers."""
        return request.user.is_superuser

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Superusers."""
        return request.user.is_superuser


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
class TenantAdmin(AuditedAdmin, FoldedSearch):
    form = ExternalIdForm
    list_display = ("name", "external_id", "domain", "time_zone", "language", "billing_contact_email")
    personal_fields = ("billing_contact_name", "billing_contact_email")
    search_fields = ("search_key", "external_id__iexact")
    inlines = (MembershipInline,)

    def get_readonly_fields(self, request: HttpRequest, obj: Tenant | None = None) -> tuple[str, ...]:
        """By its id the host finds it: once facts came in under one, it stays."""
        return ("external_id",) if obj and obj.external_id and obj.fact_sources.exists() else ()

    def trails(self, obj: Tenant, changes: Changes) -> list[int | None]:
        return [obj.pk]

    def has_delete_permission(self, request: HttpRequest, obj: Tenant | None = None) -> bool:
        """A tenant with a history stays."""
        return False


@admin.register(Membership)
class MembershipAdmin(AuditedAdmin):
    list_display = ("user", "tenant", "role", "is_active")
    list_filter = ("role", "is_active")
    list_select_related = ("user", "tenant")
    autocomplete_fields = ("user", "tenant")
    search_fields = ("user__username", "user__email", "tenant__domain")
    trail_verbs = ("given", "changed", "taken")

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> tuple[str, ...]:
        """Whose membership it is stays."""
        return ("user", "tenant") if obj else ()

    def facts(self, obj: Membership) -> dict[str, Any]:
        """Whose it is, and what of."""
        return {"person": obj.user_id, "role": obj.role, "active": obj.is_active}


@admin.register(PartnerToken)
class PartnerTokenAdmin(AuditedAdmin):
    form = TokenForm
    trail_noun = "token"
    list_display = ("name", "key_id", "scope_list", "of_installation", "expires_at", "last_used_at", "revoked_at")
    list_filter = ("of_installation",)
    readonly_fields = ("key_id", "last_used_at", "revoked_at", "created_at", "created_by")
    autocomplete_fields = ("tenants",)
    actions = ("rotate", "revoke")
    trail_verbs = ("created", "changed", "deleted")

    def get_readonly_fields(self, request: HttpRequest, obj: PartnerToken | None = None) -> tuple[str, ...]:
        """Whether it is of the installation is superusers' to say, and stays."""
        chosen = obj is None and request.user.is_superuser
        return self.readonly_fields if chosen else ("of_installation", *self.readonly_fields)

    def has_change_permission(self, request: HttpRequest, obj: PartnerToken | None = None) -> bool:
        """One of the installation opens every tenant."""
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or not obj.of_installation or request.user.is_superuser)

    @admin.display(description=_("scopes"))
    def scope_list(self, token: PartnerToken) -> str:
        return ", ".join(token.scopes)

    def save_model(self, request: HttpRequest, obj: PartnerToken, form: Any, change: bool) -> None:
        """Mint a new token and show it: this once."""
        if not change:
            assert isinstance(request.user, User)
            obj.created_by = request.user
            messages.warning(request, _shown_once(obj.name, mint(obj)))
        super().save_model(request, obj, form, change)

    def trails(self, obj: PartnerToken, changes: Changes) -> set[int | None]:
        """Those of its tenants, and of those that it had."""
        before, _after = changes.get("tenants", ((), ()))
        return {*trails_of(obj), *(before or ())}

    def facts(self, obj: PartnerToken) -> dict[str, Any]:
        """Which one, and what it may now."""
        return {"token": obj.key_id, "scopes": obj.scopes, "expires_at": obj.expires_at}

    @admin.action(description=_("Rotate: make successors, the selected work on for a week"), permissions=["change"])
    def rotate(self, request: HttpRequest, queryset: QuerySet[PartnerToken]) -> None:
        """Show each successor, this once; what ended has none."""
        if not request.user.is_superuser and queryset.filter(of_installation=True).exists():
            raise PermissionDenied
        now, caller = timezone.now(), staff_caller(request)

        def rotate(token: PartnerToken) -> bool:
            try:
                _token, text = rotate_token(token=token, overlap=_OVERLAP, caller=caller, now=now)
            except TokenEnded:
                return False
            messages.warning(request, _shown_once(token.name, text))
            return True

        act_on_each(request, queryset, rotate, skipped=gettext("it was revoked, or has expired"))

    def has_delete_permission(self, request: HttpRequest, obj: PartnerToken | None = None) -> bool:
        """Tokens are revoked: what they did keeps their name."""
        return False

    @admin.action(description=_("Revoke the selected tokens"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[PartnerToken]) -> None:
        """End tokens at once."""
        now = timezone.now()
        caller = staff_caller(request)
        act_on_each(
            request,
            queryset,
            lambda token: revoke_token(token=token, caller=caller, now=now),
            skipped=gettext("it was revoked before"),
        )


@shows_signs("tenants.view_partnertoken")
def _token_signs() -> Iterator[Sign]:
    address = f"{reverse('admin:tenants_partnertoken_changelist')}?of_installation__exact=1"
    yield Sign(
        gettext("Tokens of the whole installation that are about to end"),
        ending_tokens(timezone.now()).count(),
        address,
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

    @admin.display(description=_("evidence"))
    def evidence(self, event: AuditEvent) -> str:
        """What was shown and decided, readable."""
        return pretty(event.data)

    def get_readonly_fields(self, request: HttpRequest, obj: AuditEvent | None = None) -> Any:
        """Bind what is personal to who is looking."""
        may_see = request.user.has_perm("tenants.view_auditpersonaldata")

        @admin.display(description=_("personal data"))
        def personal_data(event: AuditEvent) -> str:
            """Names, numbers and notes, unless they were erased; for who only looks at what was done, which there are."""
            personal = getattr(event, "personal", None)
            if personal is None:
                return ""
            return pretty(personal.data if may_see else dict.fromkeys(sorted(personal.data), HIDDEN))

        return ["evidence", personal_data]

    def get_fields(self, request: HttpRequest, obj: AuditEvent | None = None) -> Any:
        """The same, in the order of ``fields``."""
        *_others, personal_data = self.get_readonly_fields(request, obj)
        return [personal_data if name == "personal_data" else name for name in self.fields]


def _shown_once(name: str, text: str) -> str:
    said = _("The token “%(name)s”, shown only now. Copy it to where it will be used:") % {"name": name}
    return shown_once(said, text)
