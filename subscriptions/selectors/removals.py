"""How far removals are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from django.db.models import Count

from subscriptions.models import License, Removal, RemovalStatus


class LatestRemovals:
    """The removals of a page of licenses that say something of them as they are. One query, when first asked for."""

    def __init__(self, licenses: Iterable[License]) -> None:
        self._licenses = list(licenses)

    def of(self, license: License) -> Removal | None:
        """The latest; None where none was asked for, or the license was assigned anew after one."""
        removal = self._latest.get(license.pk)
        is_over = removal and removal.status == RemovalStatus.CONFIRMED and license.is_direct
        return None if is_over else removal

    @cached_property
    def _latest(self) -> Mapping[int, Removal]:
        rows = Removal.objects.filter(license__in=[license.pk for license in self._licenses])
        return {row.license_id: row for row in rows.order_by("pk")}


class RequestProgress:
    """The removals of one request. Two queries, each when first asked for."""

    def __init__(self, request_id: int) -> None:
        self.request_id = request_id

    def count(self, status: RemovalStatus) -> int:
        return self._counts.get(status, 0)

    @cached_property
    def _counts(self) -> Mapping[str, int]:
        rows = Removal.objects.filter(request=self.request_id)
        return dict(rows.order_by().values_list("status").annotate(Count("pk")))

    @cached_property
    def refusals(self) -> Sequence[Removal]:
        """With their holders and groups: two queries more."""
        refused = Removal.objects.filter(request=self.request_id, status=RemovalStatus.REFUSED)
        return list(refused.select_related("license__user").prefetch_related("license__groups").order_by("pk"))
