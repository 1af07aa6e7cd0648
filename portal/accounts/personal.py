"""Everything that is kept of a person, exported or erased: what accounts know themselves, and what the apps say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import models, transaction
from django.db.models import Q, QuerySet

from common.errors import ExpectedError
from common.languages import DEFAULT_LANGUAGE
from common.personal import Holding, Whom, deleting, mentioning
from common.whole_numbers import whole_number
from desk import personal as of_desk
from desk.phones import read_phone
from desk.selectors import desk
from outbox import personal as of_outbox
from subscriptions import personal as of_subscriptions
from tenants import personal as of_tenants
from tenants.actions import Action
from tenants.audit import record
from tenants.models import Membership, SignIn, User
from tenants.people import SYSTEM
from tenants.sessions import end_sessions
from webhooks import personal as of_webhooks


class NotErased(Exception):
    """Why nothing was erased, in a sentence."""


class SeveralFound(Exception):
    """Several accounts have what was given: one of these ids has to be."""


class NotAPerson(Exception):
    """What was given is nobody's id or user name, and no address and no number."""


def find(text: str) -> Whom:
    """Somebody by id, user name, address or number, with an account or without. Raises SeveralFound and NotAPerson.

    By a number it reads all accounts that have one.
    """
    if not _is_written(text):
        raise NotAPerson
    numbers = frozenset(_numbers(text))
    users = _accounts(text) or _with_number(numbers)
    if len(users) > 1:
        raise SeveralFound(", ".join(str(user.pk) for user in users))
    if users:
        return _of_account(users[0])
    addresses = frozenset({text.lower()} if _is_address(text) else ())
    if not addresses and not numbers:
        raise NotAPerson
    return Whom(None, "", addresses, numbers)


def _accounts(text: str) -> list[User]:
    """An id is meant before a name, and a name before an address."""
    found = Q(pk=whole_number(text) or 0) | Q(username=text) | Q(email__iexact=text)
    users = list(User.objects.filter(found | Q(emailaddress__email__iexact=text)).distinct().order_by("pk"))
    return [user for user in users if str(user.pk) == text] or [u for u in users if u.username == text] or users


def _with_number(numbers: frozenset[str]) -> list[User]:
    """As it was typed into the account, or otherwise."""
    users = User.objects.exclude(phone="").order_by("pk").iterator() if numbers else ()
    return [user for user in users if numbers.intersection(_numbers(user.phone))]


def _is_written(text: str) -> bool:
    """Bytes that are no letters come from a terminal as halves of some."""
    try:
        return bool(text.encode())
    except UnicodeEncodeError:
        return False


def _is_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True


def _of_account(user: User) -> Whom:
    addresses = {user.email, user.username, *EmailAddress.objects.filter(user=user).values_list("email", flat=True)}
    return Whom(
        user.pk,
        user.get_full_name(),
        frozenset(address.lower() for address in addresses if "@" in address),
        frozenset(_numbers(user.phone)),
    )


def _numbers(text: str) -> Iterator[str]:
    with suppress(ExpectedError):
        yield read_phone(text, desk().country, []).e164


def export(whom: Whom, now: datetime) -> dict[str, list[dict[str, Any]]]:
    """All of it by kind, on the trail: no passwords, secrets or keys of sessions. Times are as JSON has them."""
    with transaction.atomic():
        rows = {one.kind: list(one.find(whom).order_by("pk").values(*one.fields)) for one in HOLDINGS}
        _record(Action.PERSON_EXPORTED, whom, {kind: len(found) for kind, found in rows.items()}, now)
    return rows


def count(whom: Whom) -> dict[str, int]:
    """How many rows of each kind know them."""
    return {one.kind: one.find(whom).count() for one in HOLDINGS}


def erase(whom: Whom, now: datetime, *, open_too: bool) -> dict[str, int]:
    """Forget them everywhere; how many rows of each kind there were. Raises NotErased, and then nothing was.

    Callback requests go one by one, each on its tenant's trail; then all else at once, the account last. Interrupted in
    between, it goes on where it was when it is asked again.
    """
    require_erasable(whom, open_too=open_too)
    counted = count(whom)
    for one in of_desk.HOLDINGS:
        if one.erase:
            one.erase(one.find(whom), now)
    with transaction.atomic():
        for one in HOLDINGS:
            if one.erase and one not in of_desk.HOLDINGS:
                one.erase(one.find(whom), now)
        _record(Action.PERSON_ERASED, whom, counted, now)
    return counted


def require_erasable(whom: Whom, *, open_too: bool) -> None:
    """Raise NotErased for somebody who is needed, or waits."""
    others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=whom.user_id or 0)
    if User.objects.filter(pk=whom.user_id or 0, is_superuser=True).exists() and not others.exists():
        raise NotErased("This is the last superuser: make another one first.")
    waiting = ", ".join(of_desk.open_requests_of(whom).order_by("pk").values_list("reference", flat=True))
    if waiting and not open_too:
        raise NotErased(
            f"Somebody still waits for a call: {waiting}. Close these first, or add --open-too to withdraw them."
        )


def _record(action: Action, whom: Whom, counted: Mapping[str, int], now: datetime) -> None:
    record(
        tenant_id=None,
        at=now,
        action=action,
        subject=f"User:{whom.user_id}" if whom.user_id else "Person",
        caller=SYSTEM,
        language=DEFAULT_LANGUAGE,
        data={"rows": {kind: number for kind, number in counted.items() if number}},
    )


def _of(model: type[models.Model], whom: Whom) -> QuerySet[Any]:
    rows: QuerySet[Any] = (
        model._default_manager.filter(user=whom.user_id) if whom.user_id else model._default_manager.none()
    )
    return rows


def _entries(whom: Whom) -> QuerySet[LogEntry]:
    """What they did in the admin, what was done to their account and roles, and where they are mentioned."""
    found = Q(pk=None)
    for field in ("object_repr", "change_message"):
        found |= mentioning(LogEntry.objects.all(), field, whom)
    if whom.user_id:
        roles = [str(pk) for pk in _of(Membership, whom).values_list("pk", flat=True)]
        for model, ids in ((User, [str(whom.user_id)]), (Membership, roles)):
            found |= Q(content_type=ContentType.objects.get_for_model(model), object_id__in=ids)
        found |= Q(user=whom.user_id)
    return LogEntry.objects.filter(found)


def _erase_account(rows: QuerySet[User], _now: datetime) -> None:
    for user in rows:
        end_sessions(user.pk)
        user.delete()


# The account goes last: the others are found by it, and those without ``erase`` end with it.
HOLDINGS = (
    *of_desk.HOLDINGS,
    *of_subscriptions.HOLDINGS,
    *of_webhooks.HOLDINGS,
    *of_outbox.HOLDINGS,
    Holding("admin_history", _entries, ("action_time", "object_repr", "change_message"), deleting),
    *of_tenants.HOLDINGS,
    Holding("sessions", lambda whom: _of(SignIn, whom), ("began_at", "seen_at", "browser")),
    Holding("email_addresses", lambda whom: _of(EmailAddress, whom), ("email", "verified", "primary")),
    Holding("second_factors", lambda whom: _of(Authenticator, whom), ("type", "created_at", "last_used_at")),
    Holding(
        "organization_sign_ins",
        lambda whom: _of(SocialAccount, whom),
        ("provider", "uid", "last_login", "date_joined", "extra_data"),
    ),
    Holding(
        "account",
        lambda whom: User.objects.filter(pk=whom.user_id or 0),
        (
            "id", "username", "first_name", "last_name", "email", "phone", "language", "date_joined", "last_login",
            "is_active", "is_staff", "is_superuser",
        ),
        _erase_account,
    ),
)  # fmt: skip
