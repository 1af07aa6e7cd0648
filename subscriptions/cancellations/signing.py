"""Quotes as signed text: the id of a quote says what was promised, so nothing needs to be stored until it is kept."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.core import signing

from subscriptions.errors import QuoteInvalid
from subscriptions.policy.facts import Mode
from subscriptions.policy.quotes import Quote

_SALT = "wayout.quote"
_LONGEST = 1_000


@dataclass(frozen=True, slots=True)
class SignedQuote:
    """What a quote id says once its signature was checked."""

    mode: Mode
    made_at: datetime
    digest: str

    def promises(self, quote: Quote) -> bool:
        """Whether ``quote`` is the same promise: every line, amount and date, and the policy's version."""
        return self.digest == _digest(quote)


def quote_id(quote: Quote, *, tenant_id: int, subscription_id: int) -> str:
    """Sign a quote for one subscription."""
    payload = [tenant_id, subscription_id, quote.mode.value, quote.made_at.isoformat(), _digest(quote)]
    return signing.dumps(payload, salt=_SALT)


def read_quote_id(text: str, *, tenant_id: int, subscription_id: int) -> SignedQuote:
    """Check a quote id. Raises QuoteInvalid for anything that was not signed here for this subscription."""
    try:
        if len(text) > _LONGEST:
            raise QuoteInvalid("quoteId")
        tenant, subscription, mode, made_at, digest = signing.loads(text, salt=_SALT)
    except (signing.BadSignature, ValueError, UnicodeError):
        raise QuoteInvalid("quoteId") from None
    if (tenant, subscription) != (tenant_id, subscription_id):
        raise QuoteInvalid("quoteId")
    return SignedQuote(Mode(mode), datetime.fromisoformat(made_at), digest)


def quote_evidence(quote: Quote) -> dict[str, Any]:
    """The quote as JSON: what is signed, and what is kept as evidence of what was shown."""
    evidence: dict[str, Any] = json.loads(json.dumps(asdict(quote), default=_plain))
    return evidence


def _digest(quote: Quote) -> str:
    canonical = json.dumps(quote_evidence(quote), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _plain(value: Any) -> str:
    """Dates and datetimes; everything else in a quote is JSON already."""
    return str(value.isoformat())
