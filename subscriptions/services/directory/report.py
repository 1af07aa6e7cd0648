"""What an import did, for a person to check."""

from __future__ import annotations

from dataclasses import dataclass, field

from subscriptions.directory_files import RowProblem


@dataclass(slots=True)
class Report:
    """Counts, notes, and the rows that were left out."""

    holders: dict[str, int] = field(default_factory=dict)
    soft_deleted: int = 0
    unlicensed: int = 0
    merged: int = 0
    users_created: int = 0
    users_changed: int = 0
    licenses_assigned: int = 0
    licenses_removed: int = 0
    kept_removed: int = 0
    not_in_file: int = 0
    charges_recorded: int = 0
    provider_ids: int = 0
    notes: list[str] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether anything is different from before."""
        return any(
            (
                self.users_created,
                self.users_changed,
                self.licenses_assigned,
                self.licenses_removed,
                self.charges_recorded,
                self.provider_ids,
            )
        )

    def note(self, text: str) -> None:
        """Say something once."""
        if text not in self.notes:
            self.notes.append(text)
