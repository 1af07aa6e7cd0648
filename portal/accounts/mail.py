"""Mail about accounts: asked for by a web request, written and sent by the worker.

What is kept in between names a person and no more: a link that opens an account exists from when it is sent.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from allauth.account import app_settings
from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.signup import get_signup_url
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from allauth.core.context import request_context
from django.contrib.sites.shortcuts import get_current_site
from django.http import HttpRequest
from django.utils import timezone, translation

from common.formatting import active_language
from outbox.mail import deliver
from outbox.queue import enqueue
from outbox.registry import Lane, handles
from tenants.models import User

MAIL = "mail.account"
# Allauth's name for a link that resets a password; whatever else there is to tell is a change of an account.
RESET = "account/email/password_reset_key"
# And ours, for tries to sign in that failed.
TRIED = "account/email/sign_in_tried"
_NOBODY = "account/email/unknown_account"
# Whoever asked for a link has asked again by then.
_TOO_LATE = timedelta(days=1)


def site_of(request: HttpRequest) -> str:
    """Under which address we were reached: where links of a mail lead."""
    return f"{request.scheme}://{request.get_host()}"


def ask_for_mail(request: HttpRequest, what: str, *, to: User | str, facts: Mapping[str, str] | None = None) -> None:
    """Ask for one mail to a person, or to an address that is nobody's."""
    now = timezone.now()
    payload = {
        "what": what,
        "user": to.pk if isinstance(to, User) else None,
        "to": to if isinstance(to, str) else "",
        "site": site_of(request),
        "language": active_language(),
        "at": now.isoformat(),
        "facts": dict(facts or {}),
    }
    enqueue(kind=MAIL, key=f"{MAIL}:{uuid.uuid4().hex}", payload=payload, run_at=now, now=now, at_most_once=True)


@handles(MAIL, Lane.MAIL)
def send(payload: dict[str, Any], now: datetime) -> None:
    """Send one mail, to where the person is to be reached now; to nobody who is gone."""
    what, at = payload["what"], datetime.fromisoformat(payload["at"])
    user = User.objects.filter(pk=payload["user"], is_active=True).first()
    to = EmailAddress.objects.get_primary_email(user) if user else payload["to"]
    if not to or (what == RESET and now > at + _TOO_LATE):
        return
    with on_site(payload["site"], payload["language"]) as context:
        context |= {"email": to, "user": user}
        if what == RESET and user:
            context |= {"password_reset_url": _reset_link(user), "username": user.username}
        elif what == RESET:
            what = _NOBODY
            context |= {"signup_url": get_signup_url(context["request"])}
        else:
            context |= {"timestamp": at, **payload["facts"]}
        message = get_adapter().render_mail(what, to, context)
    deliver(message)


@contextmanager
def on_site(site: str, language: str) -> Iterator[dict[str, Any]]:
    """Write mail as if for a request that reached us under ``site``; what each template is given."""
    request = _Remembered(site)
    with request_context(request), translation.override(language):
        yield {"request": request, "current_site": get_current_site(request)}


def _reset_link(user: User) -> str:
    key = f"{user_pk_to_url_str(user)}-{app_settings.PASSWORD_RESET_TOKEN_GENERATOR().make_token(user)}"
    link: str = get_adapter().get_reset_password_from_key_url(key)
    return link


class _Remembered(HttpRequest):
    """The request that asked, as far as links need it: under which address we were reached."""

    def __init__(self, site: str) -> None:
        super().__init__()
        self._site = urlsplit(site)
        self.META["HTTP_HOST"] = self._site.netloc

    def _get_scheme(self) -> str:
        return self._site.scheme
