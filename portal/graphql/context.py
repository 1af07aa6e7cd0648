"""What every resolver knows: who calls, when, in which language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypedDict

import strawberry
from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone, translation

from common.errors import NotAuthenticated
from common.formatting import active_language
from common.languages import DEFAULT_LANGUAGE
from common.rates import RateLimitStatus, hit_rate_limit
from portal.accounts.callers import identify
from portal.graphql.timeouts import Deadline
from portal.web.language import asked_language, supported
from tenants.callers import Caller

RATE_LIMIT_STATUS = "wayout.rate_limit"


class TooManyRequests(Exception):
    """The caller asked more often than it may."""

    def __init__(self, rate_limit: RateLimitStatus) -> None:
        super().__init__()
        self.rate_limit = rate_limit


class Basics(TypedDict):
    """Keywords of services: who calls, in which language, when."""

    caller: Caller
    language: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Context:
    """One request: ``now`` is read once, here at the edge, and passed down."""

    request: HttpRequest
    identified: Caller | None
    now: datetime
    language: str
    deadline: Deadline

    @property
    def caller(self) -> Caller:
        """Who is calling. Raises NotAuthenticated."""
        if self.identified is None:
            raise NotAuthenticated
        return self.identified

    @property
    def basics(self) -> Basics:
        """What every service about a tenant is told, to be unpacked. Raises NotAuthenticated."""
        return Basics(caller=self.caller, language=self.language, now=self.now)


def build_context(request: HttpRequest, deadline: Deadline) -> Context:
    """Identify the caller and settle the language; the caller's tenants decide it when the request does not."""
    now = timezone.now()
    caller = identify(request, now)
    if caller:
        request.META[RATE_LIMIT_STATUS] = rate_limit = hit_rate_limit(
            settings.WAYOUT_CALLER_RATE, caller.kind, str(caller.id)
        )
        if not rate_limit.allowed:
            raise TooManyRequests(rate_limit)
    if caller and asked_language(request) is None:
        translation.activate(supported(caller.tenant_language) or DEFAULT_LANGUAGE)
    return Context(request, caller, now, active_language(), deadline)


if TYPE_CHECKING:
    Info = strawberry.Info[Context, None]
else:
    Info = strawberry.Info
