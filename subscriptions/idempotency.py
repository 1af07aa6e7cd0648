"""Keys that make a retry answer what the first call answered. Unique per tenant and operation, kept 30 days."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from subscriptions.errors import IdempotencyKeyReused
from subscriptions.inputs import clean_text
from subscriptions.models import IdempotencyRecord

KEPT_FOR = timedelta(days=30)
_LONGEST_KEY = 255


@dataclass(frozen=True, slots=True)
class IdempotentCall:
    """One use of a key: look up what it answered before, or remember what it answers now."""

    tenant_id: int
    operation: str
    key: str | None
    input_digest: str
    now: datetime

    @classmethod
    def of(cls, tenant_id: int, operation: str, key: str | None, now: datetime, **given: Any) -> IdempotentCall:
        """``given`` is the input that must be the same again. Raises InputInvalid for a key that is none."""
        cleaned = None if key is None else clean_text(key, "idempotencyKey", limit=_LONGEST_KEY, required=True)
        digest = hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()
        return cls(tenant_id, operation, cleaned, digest, now)

    def answered(self) -> Any:
        """What this key answered before, or None. Raises IdempotencyKeyReused for another input."""
        if self.key is None:
            return None
        records = IdempotencyRecord.objects.filter(tenant=self.tenant_id, operation=self.operation, key=self.key)
        records.filter(created_at__lt=self.now - KEPT_FOR).delete()
        record = records.first()
        if record is None:
            return None
        if record.input_digest != self.input_digest:
            raise IdempotencyKeyReused("idempotencyKey")
        return record.answer

    def remember(self, answer: Any) -> None:
        """Keep the answer, inside the transaction that made it true."""
        if self.key is not None:
            IdempotencyRecord.objects.create(
                tenant_id=self.tenant_id,
                operation=self.operation,
                key=self.key,
                input_digest=self.input_digest,
                answer=answer,
                created_at=self.now,
            )


@contextmanager
def one_transaction() -> Iterator[None]:
    """The durable transaction of a mutation.

    Two calls that use one key at once for different subscriptions do not wait for each other's lock; the second
    to commit meets the unique constraint, everything it did is rolled back, and it is told.
    """
    try:
        with transaction.atomic(durable=True):
            yield
    except IntegrityError as error:
        if "idempoten" in str(error).lower():
            raise IdempotencyKeyReused("idempotencyKey") from error
        raise


def forget_keys(now: datetime) -> int:
    """Drop idempotency keys that are older than they are kept."""
    return IdempotencyRecord.objects.filter(created_at__lt=now - KEPT_FOR).delete()[0]
