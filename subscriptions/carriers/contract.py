"""What every carrier of removals promises, as tests: derive from CarrierContract in your own, and say how yours is made.

    class TestMine(CarrierContract):
        @pytest.fixture
        def carrier(self) -> Carrier:
            return Mine(...)

Takes pytest beside what Wayout runs on; nothing of Wayout imports it. docs/removals.md says the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import timedelta

import pytest

from outbox.registry import RetryLater
from subscriptions.carriers.base import Carrier, CarryState, LicenseRemoval

# What ``trouble`` is asked for. Before: nothing arrived. After: it arrived, the answer did not. Throttled: come again in
# seven minutes.
OUTAGES = ("timeout before", "timeout after", "5xx", "throttled")
_FINAL = (CarryState.CONFIRMED, CarryState.REFUSED)


class CarrierContract:
    """``removals``: two licenses or more that the directory has; ``refused``: one that it will not take away."""

    @pytest.fixture
    def carrier(self) -> Carrier:
        """Yours, with a directory that works, and nothing done yet."""
        raise NotImplementedError

    @pytest.fixture
    def tenant_id(self) -> int:
        """One that it serves."""
        raise NotImplementedError

    @pytest.fixture
    def removals(self) -> Sequence[LicenseRemoval]:
        raise NotImplementedError

    @pytest.fixture
    def refused(self) -> LicenseRemoval:
        raise NotImplementedError

    @pytest.fixture
    def held(self) -> Callable[[], Collection[int]]:
        """Which of the removals' licenses the directory has now, by the removals' ids."""
        raise NotImplementedError

    @pytest.fixture
    def trouble(self) -> Callable[[str], None]:
        """Makes the next call outside go wrong, as OUTAGES says it."""
        raise NotImplementedError

    def test_it_serves_its_tenants_alone(self, carrier: Carrier, tenant_id: int) -> None:
        assert carrier.serves(tenant_id)
        assert not carrier.serves(0)

    def test_nothing_is_found_that_was_not_asked_for(
        self, carrier: Carrier, tenant_id: int, removals: Sequence[LicenseRemoval]
    ) -> None:
        assert carrier.look(tenant_id, removals) == {}

    def test_what_is_carried_out_is_gone_and_found(
        self,
        carrier: Carrier,
        tenant_id: int,
        removals: Sequence[LicenseRemoval],
        held: Callable[[], Collection[int]],
    ) -> None:
        """Those given alone. What is on its way is said to be, and is found once it has arrived."""
        first, *others = removals
        said = dict(carrier.carry(tenant_id, [first]))
        for _ in range(100):
            if said.get(first.id) and said[first.id].state in _FINAL:
                break
            said = dict(carrier.look(tenant_id, [first]))
        assert [one.state for one in said.values()] == [CarryState.CONFIRMED]
        assert set(held()) == {one.id for one in others}
        assert dict(carrier.look(tenant_id, removals)) == said

    def test_asked_twice_it_is_still_gone(
        self, carrier: Carrier, tenant_id: int, removals: Sequence[LicenseRemoval]
    ) -> None:
        """What is gone is no refusal, whoever took it away."""
        carrier.carry(tenant_id, removals)
        assert CarryState.REFUSED not in {one.state for one in carrier.carry(tenant_id, removals).values()}

    def test_a_refusal_has_a_reason_and_harms_no_other(
        self, carrier: Carrier, tenant_id: int, removals: Sequence[LicenseRemoval], refused: LicenseRemoval
    ) -> None:
        said = carrier.carry(tenant_id, [refused, *removals])
        assert said[refused.id].state is CarryState.REFUSED
        assert said[refused.id].reason
        others = {one.state for pk, one in said.items() if pk != refused.id}
        assert CarryState.REFUSED not in others

    @pytest.mark.parametrize("outage", OUTAGES)
    def test_an_outage_leaves_the_truth_to_find(
        self,
        carrier: Carrier,
        tenant_id: int,
        removals: Sequence[LicenseRemoval],
        held: Callable[[], Collection[int]],
        trouble: Callable[[str], None],
        outage: str,
    ) -> None:
        """No answer is no verdict: it is looked for afterwards."""
        trouble(outage)
        with pytest.raises(RetryLater) as caught:
            carrier.carry(tenant_id, removals)
        assert caught.value.outage
        assert caught.value.after == (timedelta(minutes=7) if outage == "throttled" else timedelta(0))
        found = carrier.look(tenant_id, removals)
        assert {pk for pk, one in found.items() if one.state is CarryState.CONFIRMED} == {
            one.id for one in removals if one.id not in held()
        }
        if outage == "timeout after":
            assert found
        else:
            assert not found

    @pytest.mark.parametrize("outage", ["timeout before", "5xx"])
    def test_looking_in_an_outage_is_no_answer(
        self,
        carrier: Carrier,
        tenant_id: int,
        removals: Sequence[LicenseRemoval],
        trouble: Callable[[str], None],
        outage: str,
    ) -> None:
        """Nobody concludes that a license is there, or gone, because nobody answered."""
        carrier.carry(tenant_id, removals)
        trouble(outage)
        with pytest.raises(RetryLater) as caught:
            carrier.look(tenant_id, removals)
        assert caught.value.outage
