"""Sessions of people whom a partner vouches for: their tokens, and what they may while the partner's token works.

The texts are made from a nonce of the row with the installation's key, so that a call that is repeated is answered with the
same ones, and neither the database nor a backup opens anything.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.db.models import Q, QuerySet

from common.keys import digests
from tenants.callers import Caller, CallerKind, Role, Scope
from tenants.models import PartnerToken, PortalSession, VouchedPerson
from tenants.models.vouching import NOBODY
from tenants.tokens import is_live, sees_tenant

PREFIX = "wyp_"
LONGEST = timedelta(hours=1)
# As long as names are kept on the trail.
NAMES_KEPT_FOR = timedelta(days=3 * 365)
_LONGEST_URL = 2_000
# From the least to the most.
_RANKS = (Role.VIEWER, Role.BILLING_ADMIN, Role.GLOBAL_ADMIN)


def exceeds(role: Role, highest: Role) -> bool:
    return _RANKS.index(role) > _RANKS.index(highest)


def origin_of(url: str) -> str:
    """The origin of an address as browsers write it; empty for what is none, or could be read in two ways."""
    if len(url) > _LONGEST_URL or any(ord(letter) <= 32 or ord(letter) == 127 or letter == "\\" for letter in url):
        return ""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("https", "http") or not parts.hostname or "@" in parts.netloc:
        return ""
    usual = {"https": 443, "http": 80}[parts.scheme]
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, usual) else "")


def new_session(
    *, person: VouchedPerson, token: PartnerToken, role: Role, lasts: timedelta, now: datetime
) -> PortalSession:
    """An unsaved session with hashes of its texts."""
    session = PortalSession(person=person, token=token, role=role.value, created_at=now, expires_at=now + lasts)
    session.nonce = secrets.token_urlsafe(24)
    session.digest, session.code_digest = map(hashed, (next(_access_texts(session)), next(_codes(session))))
    return session


def access_text(session: PortalSession) -> str | None:
    """The access token; None where its key is not named any more."""
    return next((text for text in _access_texts(session) if hashed(text) == session.digest), None)


def code(session: PortalSession) -> str | None:
    """The one-time part of the hosted page's address; None as above."""
    return next((text for text in _codes(session) if hashed(text) == session.code_digest), None)


def caller_of_session(text: str, now: datetime) -> Caller | None:
    """The caller behind an access token, or behind the cookie of the hosted page. Two queries."""
    found = hashed(text)
    session = working_sessions(now).filter(Q(digest=found) | Q(page_digest=found)).first()
    return _caller(session, now) if session else None


def redeem(text: str, now: datetime) -> tuple[PortalSession, str] | None:
    """Use a one-time address: the session with the text of a cookie for its page; None where it was used, or is over.

    Of two at once one gets it.
    """
    session = working_sessions(now).filter(code_digest=hashed(text), page_digest=None).first()
    if session is None or _caller(session, now) is None:
        return None
    cookie = PREFIX + secrets.token_urlsafe(24)
    unused = PortalSession.objects.filter(pk=session.pk, page_digest=None, ended_at=None)
    return (session, cookie) if unused.update(page_digest=hashed(cookie)) else None


def working_sessions(now: datetime) -> QuerySet[PortalSession]:
    """Those that have not ended; whether their token still works is another question."""
    return PortalSession.objects.filter(ended_at=None, expires_at__gt=now).select_related("person__tenant", "token")


def session_of_page(cookie: str) -> PortalSession | None:
    """Whose page a cookie opened, also when it is over."""
    return PortalSession.objects.filter(page_digest=hashed(cookie)).first() if cookie else None


def forget_portal_sessions(now: datetime) -> int:
    """Drop sessions a day after they were over: the trail has that they were."""
    return PortalSession.objects.filter(expires_at__lt=now - timedelta(days=1)).delete()[0]


def forget_vouched_people(now: datetime) -> int:
    """Blank whom nobody has vouched for in three years; what they did stays."""
    old = VouchedPerson.objects.filter(seen_at__lt=now - NAMES_KEPT_FOR).exclude(external_id="")
    return old.update(**NOBODY)


def hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _caller(session: PortalSession, now: datetime) -> Caller | None:
    """Never more than the token may give now."""
    person, token = session.person, session.token
    gives = is_live(token, now) and Scope.SESSIONS.value in token.scopes and sees_tenant(token, person.tenant_id)
    if not gives or not person.external_id:
        return None
    role, highest = Role(session.role), Role(token.max_role)
    return Caller(
        kind=CallerKind.VOUCHED,
        id=person.pk,
        name=person.name,
        email=person.email,
        phone=person.phone,
        language=person.language,
        tenant_language=person.language or person.tenant.language,
        roles={person.tenant_id: highest if exceeds(role, highest) else role},
        vouched_by=token.name,
    )


def _access_texts(session: PortalSession) -> Iterator[str]:
    """As each key makes it, the current one first."""
    yield from (PREFIX + made.partition(":")[2] for made in digests("wayout.portal-session", session.nonce))


def _codes(session: PortalSession) -> Iterator[str]:
    yield from (made.partition(":")[2][:48] for made in digests("wayout.portal-address", session.nonce))
