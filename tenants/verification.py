"""Whether a chain of the trail holds, event by event: its length is no matter of memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tenants.actions import Action
from tenants.audit import heads_of
from tenants.hashing import FORMATS, is_intact, is_personal_data_of, is_readable
from tenants.models import AuditEvent

# While an update is rolled out, processes of the version before go on with the older format.
_ROLLED_OUT_IN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Break:
    """A place where a tenant's chain does not hold."""

    tenant_id: int | None
    position: int
    problem: str


@dataclass
class _Walk:
    """What is known of a chain up to some event. ``gone``: whose personal data nobody said to have erased, by subject."""

    position: int = 0
    hash: str = ""
    newer_since: datetime | None = None
    gone: dict[str, set[int]] = field(default_factory=dict)

    def problems(self, event: AuditEvent) -> Iterator[str]:
        """What is wrong with the next event."""
        if event.position != self.position + 1:
            yield "an event before it is missing"
        if event.previous_hash != self.hash:
            yield "it does not follow the event before it"
        yield from self._own_problems(event)
        self.position, self.hash = event.position, event.hash

    def _own_problems(self, event: AuditEvent) -> Iterator[str]:
        if event.format not in FORMATS:
            yield "this version does not know its format"
            return
        if event.format > 1:
            self.newer_since = self.newer_since or event.at
        elif self.newer_since and event.at > self.newer_since + _ROLLED_OUT_IN:
            yield "its format is older than that of an event before it"
        if not is_readable(event):
            yield f"its key, {event.key_id}, is not named"
        elif not is_intact(event):
            yield "it was changed"
        elif personal := self._personal_problem(event):
            yield personal

    def _personal_problem(self, event: AuditEvent) -> str:
        self._note_erasure(event)
        personal = getattr(event, "personal", None)
        if personal is None:
            if event.personal_digest:
                self.gone.setdefault(event.subject, set()).add(event.position)
            return ""
        if is_personal_data_of(personal.data, event):
            return ""
        return "its personal data was changed" + (", or its key is not named" if event.format == 1 else "")

    def _note_erasure(self, event: AuditEvent) -> None:
        """Whoever erases says which; before there was a second format, all about the subject."""
        erased = event.data.get("erased")
        if erased is not None:
            for positions in self.gone.values():
                positions.difference_update(erased)
        elif event.action == Action.CALLBACK_ERASED:
            self.gone.pop(event.subject, None)


def verify(tenant_id: int | None) -> Iterator[Break]:
    """Yield every place where a chain was changed, cut, reordered or shortened, or its personal data edited or taken."""
    walk = _Walk()
    for event in AuditEvent.objects.filter(tenant=tenant_id).select_related("personal").order_by("position").iterator():
        for problem in walk.problems(event):
            yield Break(tenant_id, event.position, problem)
    for position in sorted(set().union(*walk.gone.values())):
        yield Break(tenant_id, position, "its personal data is gone, and nobody erased it")
    head = heads_of(tenant_id).first()
    if head and (head.position, head.hash) != (walk.position, walk.hash):
        yield Break(tenant_id, head.position, "events at the end are missing")
