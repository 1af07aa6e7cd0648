"""What a carrier of removals is: it has a directory take licenses away, and says what became of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from common.codes import N_, CodeTable


class RefusalReason(CodeTable):
    """Why a directory did not take a license away. ``sentence``: to people."""

    label: str
    sentence: str

    INHERITED_FROM_GROUP = (
        "INHERITED_FROM_GROUP", N_("comes from a group"),
        N_("The directory did not remove it: the license comes from a group."),
    )  # fmt: skip
    DEPENDENT_PRODUCT = (
        "DEPENDENT_PRODUCT", N_("another product depends on it"),
        N_("The directory did not remove it: another product of this user depends on it."),
    )  # fmt: skip
    UNKNOWN_USER = (
        "UNKNOWN_USER", N_("user unknown there"),
        N_("The directory did not remove it: it does not know this user."),
    )  # fmt: skip
    NOT_PERMITTED = (
        "NOT_PERMITTED", N_("not permitted"),
        N_("The directory did not remove it: it does not permit that."),
    )  # fmt: skip
    OTHER = "OTHER", N_("another reason"), N_("The directory did not remove it.")


class CarryState(StrEnum):
    """ACCEPTED: on its way, look again. The other two are the directory's last word."""

    ACCEPTED = "ACCEPTED"
    CONFIRMED = "CONFIRMED"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class LicenseRemoval:
    """One license to take away. Ids of the directory are empty where nobody said them."""

    id: int
    user_id: str
    user_name: str
    subscription_id: str
    part_number: str


@dataclass(frozen=True, slots=True)
class Carried:
    """What became of one removal. ``reason`` of a refusal; ``text`` in the directory's own words, for people alone."""

    state: CarryState
    reason: RefusalReason | None = None
    text: str = ""

    @classmethod
    def refused(cls, reason: RefusalReason, text: str = "") -> Carried:
        return cls(CarryState.REFUSED, reason, text)


CONFIRMED, ACCEPTED = Carried(CarryState.CONFIRMED), Carried(CarryState.ACCEPTED)


class Carrier(Protocol):
    """Each method ends in time, and may be repeated. Both answer by the removals' ids, and for those given alone.

    They raise outbox.registry.RetryLater, with ``outage`` where the directory is down, when they can say nothing. What
    they know of some is answered, and the others are left out.
    """

    def serves(self, tenant_id: int) -> bool:
        """Whether it carries out removals of that tenant. Asks nobody outside."""

    def look(self, tenant_id: int, removals: Sequence[LicenseRemoval]) -> Mapping[int, Carried]:
        """What became of removals that may have been asked for before: CONFIRMED where the license is gone.

        Left out: the license is there, and nothing is on its way.
        """

    def carry(self, tenant_id: int, removals: Sequence[LicenseRemoval]) -> Mapping[int, Carried]:
        """Have the licenses taken away. Left out: nobody can tell yet, so it is looked for before it is asked again."""
