"""One thing that does not add up: kept as plain data, said in whatever language reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.models import Agreement, NoticeReason
from common.messages import say
from subscriptions.reconciliation.kinds import FindingKind

_STOPS: dict[str, Promise] = dict(Agreement.RENEWAL_STOP_CHOICES)
# What is kept as a code, and said in words. A reason may also be a provider's own text, which stays as it is.
_WORDS: Mapping[str, Mapping[str, Promise]] = {
    "told": _STOPS,
    "wanted": _STOPS,
    "says": _STOPS,
    "reason": {reason.value: gettext_lazy(reason.label) for reason in NoticeReason},
}


@dataclass(frozen=True, slots=True)
class Finding:
    """``subject`` tells it from others of its kind; ``name`` and ``page`` (a row's key) are the subject where not given.

    ``values`` are what JSON can say.
    """

    kind: FindingKind
    subject: str
    values: Mapping[str, str | int] = field(default_factory=dict)
    name: str = ""
    page: str = ""

    def __str__(self) -> str:
        subject = say(self.kind.about.label, {"name": self.name or self.subject})
        return f"{subject}: {say(self.kind.wrong, self._said)}"

    @property
    def _said(self) -> dict[str, str]:
        """The values as people read them."""
        return {name: str(_WORDS.get(name, {}).get(str(value), value)) for name, value in self.values.items()}

    @property
    def what_to_do(self) -> str:
        """A sentence, in the active language."""
        return _(self.kind.do)

    @property
    def address(self) -> str:
        """The admin's page of what it is about; empty where there is none."""
        page = self.kind.about.page
        return reverse(f"admin:{page}_change", args=[self.page or self.subject]) if page else ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_json(cls, said: Mapping[str, Any]) -> Finding | None:
        """None for a kind that there is no more."""
        if said["kind"] not in list(FindingKind):
            return None
        return cls(**{**said, "kind": FindingKind(said["kind"])})
