"""What every resolver knows: who calls, when, in which language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import strawberry
from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone, translation

from common.formatting import active_language
from common.languages import DEFAULT_LANGUAGE
from common.rates import Standing, spend
from portal.accounts.callers import identify
from portal.web.language import asked_language, supported
from subscriptions.errors import NotPermitted, SubscriptionError
from tenants.callers import Caller, CallerKind, Scope, with_included

STANDING = "wayout.standing"


class TooManyRequests(Exception):
    """The caller asked more often than it may."""

    def __init__(self, standing: Standing) -> None:
        super().__init__()
        self.standing = standing


class NotAuthenticated(SubscriptionError):
    """Nobody is signed in, or the token is wrong, expired or revoked."""

    code = "NOT_AUTHENTICATED"


@dataclass(frozen=True, slots=True)
class Context:
    """One request: ``now`` is read once, here at the edge, and passed down."""

    request: HttpRequest
    identified: Caller | None
    now: datetime
    language: str

    @property
    def caller(self) -> Caller:
        """Who is calling. Raises NotAuthenticated."""
        if self.identified is None:
            raise NotAuthenticated
        return self.identified

    def reader(self, *wanted: Scope) -> Caller:
        """The caller of a query: a token needs one of ``wanted``. Raises NotAuthenticated, NotPermitted."""
        caller = self.caller
        if caller.kind is CallerKind.PARTNER and not set(wanted) & with_included(caller.scopes):
            raise NotPermitted(scope=wanted[0])
        return caller

    def partner(self, *wanted: Scope) -> Caller:
        """The calling partner, with one of ``wanted``. Raises NotAuthenticated, NotPermitted: also for a person."""
        caller = self.reader(*wanted)
        if caller.kind is not CallerKind.PARTNER:
            raise NotPermitted
        return caller


def build_context(request: HttpRequest) -> Context:
    """Identify the caller and settle the language; the caller's tenants decide it when the request does not."""
    now = timezone.now()
    caller = identify(request, now)
    if caller:
        request.META[STANDING] = standing = spend(settings.WAYOUT_CALLER_RATE, caller.kind, str(caller.id))
        if not standing.allowed:
            raise TooManyRequests(standing)
    if caller and asked_language(request) is None:
        translation.activate(supported(caller.tenant_language) or DEFAULT_LANGUAGE)
    return Context(request, caller, now, active_language())


if TYPE_CHECKING:
    Info = strawberry.Info[Context, None]
else:
    Info = strawberry.Info
