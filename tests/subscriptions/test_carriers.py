"""Carriers: one in memory keeps the contract, quick and slow; and the registry finds whose tenant it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import pytest

from subscriptions.carriers import carrier_of, register_carrier, registered
from subscriptions.carriers.base import LicenseRemoval
from subscriptions.carriers.contract import CarrierContract
from tests.carriers import FakeCarrier

TENANT = 7


def removal(number: int) -> LicenseRemoval:
    return LicenseRemoval(number, f"u-{number}", f"user{number}@contoso.example", "s-1", "E3")


class TestQuick(CarrierContract):
    slow = False

    @pytest.fixture
    def carrier(self, removals: Sequence[LicenseRemoval], refused: LicenseRemoval) -> FakeCarrier:
        held = {(one.user_name, "E3") for one in (refused, *removals)}
        return FakeCarrier({TENANT}, held, {refused.user_name}, slow=self.slow)

    @pytest.fixture
    def tenant_id(self) -> int:
        return TENANT

    @pytest.fixture
    def removals(self) -> Sequence[LicenseRemoval]:
        return [removal(number) for number in (1, 2, 3)]

    @pytest.fixture
    def refused(self) -> LicenseRemoval:
        return removal(4)

    @pytest.fixture
    def held(self, carrier: FakeCarrier, removals: Sequence[LicenseRemoval]) -> Callable[[], Collection[int]]:
        return lambda: [one.id for one in removals if (one.user_name, "E3") in carrier.held]

    @pytest.fixture
    def trouble(self, carrier: FakeCarrier) -> Callable[[str], None]:
        return lambda kind: setattr(carrier, "trouble", kind)


class TestSlow(TestQuick):
    slow = True


def test_the_first_that_serves_a_tenant_carries_for_it() -> None:
    one, other = FakeCarrier({1}), FakeCarrier({1, 2})
    with registered("one", one), registered("other", other):
        assert [carrier_of(tenant_id) for tenant_id in (1, 2, 3)] == [one, other, None]
        with pytest.raises(ValueError, match="two carriers"):
            register_carrier("one", other)
    assert carrier_of(1) is None
