"""When a receiver is given up."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.builders import NOW
from tests.partners import Partner
from webhooks.models import Endpoint

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("failing_for", "disabled"),
    [(timedelta(days=3), True), (timedelta(days=3) - timedelta(seconds=1), False)],
    ids=["three days", "a second less"],
)
def test_nothing_but_failures_for_three_days_disables_it(
    partner: Partner, failing_for: timedelta, disabled: bool
) -> None:
    partner.receiver.behave = lambda _: 500
    Endpoint.objects.update(failing_since=NOW - failing_for, failures=99)
    partner.happens()
    partner.work()
    assert partner.receiver.asked == 1
    assert (partner.again().disabled_at is not None) is disabled
