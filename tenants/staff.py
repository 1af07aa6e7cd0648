"""What every staff action shares: who acts, and what of it is on the trail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from common.formatting import active_language
from common.languages import DEFAULT_LANGUAGE
from tenants.actions import Action
from tenants.audit import record
from tenants.callers import Caller
from tenants.models import User
from tenants.people import SYSTEM, caller_of_staff
from tenants.requests import from_request


def staff(request: HttpRequest, permission: str) -> tuple[User, Caller]:
    """The staff member behind a request, who must hold ``permission``. Raises PermissionDenied."""
    user = request.user
    if not isinstance(user, User) or not user.is_staff or not user.has_perm(permission):
        raise PermissionDenied
    return user, staff_caller(request)


def staff_caller(request: HttpRequest) -> Caller:
    """The staff member behind a request whose permission the admin has checked already."""
    assert isinstance(request.user, User)  # the admin lets nobody else in
    return from_request(caller_of_staff(request.user), request)


def has_more_rights(other: User, than: User) -> bool:
    """Whether ``other`` may do something in the admin that ``than`` may not; also while ``other`` is not active."""
    if than.is_superuser or other.is_superuser:
        return not than.is_superuser
    held = Permission.objects.filter(Q(user=other) | Q(group__user=other))
    names = {f"{label}.{codename}" for label, codename in held.values_list("content_type__app_label", "codename")}
    return bool(names - than.get_all_permissions())


def record_by_command(action: Action, user: User) -> None:
    """Put what whoever has a shell did to an account on the trail of the installation."""
    with transaction.atomic():
        record(
            tenant_id=None,
            at=timezone.now(),
            action=action,
            subject=f"User:{user.pk}",
            caller=SYSTEM,
            language=DEFAULT_LANGUAGE,
            data={"superuser": user.is_superuser},
            personal={"username": user.username},
        )


def record_by_staff(
    request: HttpRequest,
    *,
    tenant_id: int | None,
    action: str,
    subject: str,
    data: Mapping[str, Any],
    personal: Mapping[str, Any],
) -> None:
    """Put what a form of the admin changed on the trail, with who sent the form.

    Raises ValueError for an action that Action does not know.
    """
    caller = staff_caller(request)
    record(
        tenant_id=tenant_id,
        at=timezone.now(),
        action=Action(action),
        subject=subject,
        caller=caller,
        language=active_language(),
        data=data,
        personal={"name": caller.name, **personal},
    )
