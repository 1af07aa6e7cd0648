"""Fixtures of the whole suite."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, settings

from tenants.callers import Role
from tenants.models import User
from tenants.protection import unprotect
from tests.partners import partner, receiver
from tests.world import PASSWORD, World

__all__ = ["partner", "receiver"]

if "WAYOUT_MUTANTS" in os.environ:
    from tests.mutants import django_db_setup as django_db_setup

settings.register_profile("wayout", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", settings.get_profile("wayout"), max_examples=1000)
settings.register_profile("quick", settings.get_profile("wayout"), max_examples=10)
# An example that fails is enough to notice a mutant, and mutants are compared from run to run.
settings.register_profile(
    "mutants", settings.get_profile("quick"), phases=[Phase.explicit, Phase.generate], derandomize=True, database=None
)
settings.load_profile("long" if os.environ.get("WAYOUT_LONG") else "wayout")


def pytest_report_header() -> str:
    return f"database: {os.environ.get('WAYOUT_TEST_DB', 'sqlite')}"


@pytest.fixture(autouse=True)
def _append_only_tables_can_be_emptied(request: pytest.FixtureRequest) -> Iterator[None]:
    """A transactional test ends with a flush, which the audit trail's triggers would refuse.

    The flush emits post_migrate, and with it the triggers come back.
    """
    yield
    marker = request.node.get_closest_marker("django_db")
    if marker and marker.kwargs.get("transaction"):
        unprotect(connection)


@pytest.fixture(autouse=True)
def _nobody_reconciles_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker of a test finds would be mailed, beside what the test is about."""
    from outbox import registry

    monkeypatch.delitem(registry._periodic, "reconcile_daily", raising=False)


@pytest.fixture(autouse=True)
def _no_server_side_state_between_tests() -> Iterator[None]:
    from django.utils import translation

    from outbox import mail
    from tests.world import forget_counts

    mail.circuit.worked()
    # The clock of many tests stands still.
    forget_counts()
    with translation.override("en"):
        yield


@pytest.fixture
def world(db: Any) -> World:
    """One tenant with a global admin, and ways to give it subscriptions."""
    return World.build()


@pytest.fixture
def person(world: World) -> User:
    """A global admin who signs in with a password."""
    user = world.person(Role.GLOBAL_ADMIN)
    user.set_password(PASSWORD)
    user.save()
    return user


@pytest.fixture
def agent(world: World) -> User:
    """A staff member, without any permission yet."""
    return world.person(None, is_staff=True)
