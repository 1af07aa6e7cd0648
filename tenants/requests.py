"""What a request tells of who sent it: its number and the address it came from."""

from __future__ import annotations

from dataclasses import replace

from django.conf import settings
from django.http import HttpRequest

from tenants.callers import Caller

REQUEST_ID = "wayout.request_id"
# Where whoever refuses a try leaves how many seconds to wait, for the answer's header.
RETRY_AFTER = "wayout.retry_after"


def from_request(caller: Caller, request: HttpRequest) -> Caller:
    """The caller with the address and the number of the request, for the audit trail."""
    return replace(caller, address=address(request), correlation_id=request_id(request))


def request_id(request: HttpRequest) -> str:
    """The number of a request; empty outside the middleware that numbers them."""
    number: str = request.META.get(REQUEST_ID, "")
    return number


def address(request: HttpRequest) -> str:
    """The client's address. Behind WAYOUT_PROXIES proxies it is the one that the outermost of them saw."""
    forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    if settings.WAYOUT_PROXIES and len(forwarded) >= settings.WAYOUT_PROXIES:
        return forwarded[-settings.WAYOUT_PROXIES][:45]
    remote: str = request.META.get("REMOTE_ADDR", "")
    return remote
