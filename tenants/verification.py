"""Whether a chain of the trail holds, event by event: its length is no matter of memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tenants.actions import Action
from tenants.audit import heads_of
from tenants.hashing import FORMATS, is_intact, is_older_signed, is_personal_data_of, is_readable
from tenants.models import AuditEvent, AuditHead, InstallationAuditHead

# Whoever writes the database can make such an event. So can a process of the version before, during an update.
OLDER = "it is of the older format, which nobody accepted here"


@dataclass(frozen=True, slots=True)
class Break:
    """A place where a tenant's chain does not hold."""

    tenant_id: int | None
    position: int
    problem: str


@dataclass
class _Walk:
    """What is known of a chain up to some event. ``gone``: whose personal data nobody said to have erased, by subject.

    ``doubt``: why ``older_until`` cannot be believed; said once.
    """

    older_until: int
    doubt: str
    accepts_older: bool
    position: int = 0
    hash: str = ""
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
        if event.format == 1 and self.doubt:
            yield self.doubt
            self.doubt = ""
        is_older = event.format == 1 and event.position > self.older_until
        if is_older:
            yield OLDER
        if not is_readable(event):
            yield f"its key, {event.key_id}, is not named"
        elif not is_intact(event):
            yield "it was changed"
        elif is_older and not self.accepts_older:
            return  # Nor does it tell of an erasure.
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


def verify(tenant_id: int | None, *, accepts_older: bool = False) -> Iterator[Break]:
    """Yield every place where a chain was changed, cut, reordered or shortened, or its personal data edited or taken.

    With ``accepts_older`` events of the older format that nobody accepted are told as OLDER, and count.
    """
    walk = _begin(tenant_id, heads_of(tenant_id).first(), accepts_older)
    for event in AuditEvent.objects.filter(tenant=tenant_id).select_related("personal").order_by("position").iterator():
        for problem in walk.problems(event):
            yield Break(tenant_id, event.position, problem)
    for position in sorted(set().union(*walk.gone.values())):
        yield Break(tenant_id, position, "its personal data is gone, and nobody erased it")
    head = heads_of(tenant_id).first()
    if head and (head.position, head.hash) != (walk.position, walk.hash):
        yield Break(tenant_id, head.position, "events at the end are missing")


def _begin(tenant_id: int | None, head: AuditHead | InstallationAuditHead | None, accepts_older: bool) -> _Walk:
    if head is None or not head.older_until:
        return _Walk(0, "", accepts_older)
    end = AuditEvent.objects.filter(tenant=tenant_id, position=head.older_until).values_list("hash", flat=True).first()
    if is_older_signed(head.older_signature, tenant_id, head.older_until, end or ""):
        return _Walk(head.older_until, "", accepts_older)
    if accepts_older:
        return _Walk(0, "", accepts_older)
    doubt = f"that events up to {head.older_until} are of the older format is not signed with a key that is named"
    return _Walk(head.older_until, doubt, accepts_older)
