"""Partners keep their secrets, whatever becomes of the installation's key."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.core.management.base import CommandError

from common.keys import encrypt, key_id
from outbox.models import Task
from tenants.people import SYSTEM
from tests.builders import NOW
from tests.partners import Partner
from tests.rotation import NEW, rotate
from webhooks.endpoints import rotate_secret
from webhooks.endpoints import test as send_test
from webhooks.models import Delivery, Endpoint
from webhooks.signing import computed, count_by_key, reencrypt_each, why_unreadable

pytestmark = pytest.mark.django_db


def arrives(partner: Partner) -> bool:
    """What happens next, signed with the secret that the receiver has."""
    before = len(partner.receiver.accepted)
    partner.happens(n=before)
    partner.wait(timedelta(minutes=20), timedelta(minutes=5))
    return len(partner.receiver.accepted) > before


def as_the_version_before_made_it(endpoint: Endpoint, key: str) -> str:
    """By its salt alone; its secret."""
    Endpoint.objects.filter(pk=endpoint.pk).update(secrets={})
    return computed(endpoint.salt, key)


def test_a_secret_stays_when_the_key_becomes_another(partner: Partner, settings: Any) -> None:
    before = key_id(settings.SECRET_KEY)
    rotate(settings)
    assert arrives(partner)
    assert count_by_key(NOW) == {before: 1}
    assert sum(reencrypt_each(NOW)) == 1
    assert sum(reencrypt_each(NOW)) == 0
    settings.SECRET_KEY_FALLBACKS = []
    assert arrives(partner)
    assert count_by_key(NOW) == {key_id(NEW): 1}


def test_no_secret_can_be_read_from_the_row(partner: Partner) -> None:
    assert partner.receiver.secret.removeprefix("whsec_") not in str(Endpoint.objects.values().get())


def test_while_a_secret_is_rotated_both_stay(partner: Partner, settings: Any) -> None:
    old = partner.receiver.secret
    new = rotate_secret(endpoint=partner.endpoint, caller=SYSTEM, now=NOW)
    rotate(settings)
    assert sum(reencrypt_each(NOW)) == 2
    settings.SECRET_KEY_FALLBACKS = []
    for secret in (old, new):
        partner.receiver.secret = secret
        assert arrives(partner)
    # Once it is over the old one is not kept.
    assert sum(count_by_key(NOW + timedelta(days=2)).values()) == 1
    list(reencrypt_each(NOW + timedelta(days=2)))
    assert len(partner.again().secrets) == 1


def test_what_the_version_before_made_meanwhile_counts_and_is_kept_from_then_on(
    partner: Partner, settings: Any
) -> None:
    partner.receiver.secret = as_the_version_before_made_it(partner.endpoint, settings.SECRET_KEY)
    assert arrives(partner)
    assert count_by_key(NOW) == {"": 1}
    assert sum(reencrypt_each(NOW)) == 1
    rotate(settings)
    assert arrives(partner)


@pytest.mark.parametrize("another_key", [True, False])
def test_the_update_keeps_secrets_also_when_it_brings_another_key(
    partner: Partner, settings: Any, another_key: bool
) -> None:
    partner.receiver.secret = as_the_version_before_made_it(partner.endpoint, settings.SECRET_KEY)
    if another_key:
        rotate(settings)
    import_module("webhooks.migrations.0003_secrets").keep(apps, None)
    assert count_by_key(NOW) == {key_id(settings.SECRET_KEY): 1}
    settings.SECRET_KEY_FALLBACKS = []
    assert arrives(partner)


def test_without_its_key_nothing_is_sent_and_everything_when_it_is_named_again(partner: Partner, settings: Any) -> None:
    before = settings.SECRET_KEY
    rotate(settings, older=[])
    assert not arrives(partner)
    assert partner.again().last_problem == Delivery.objects.get().problem == "KEY_NOT_NAMED"
    assert why_unreadable(partner.endpoint) == key_id(before)
    assert send_test(endpoint=partner.endpoint, caller=SYSTEM, now=NOW).problem == "KEY_NOT_NAMED"
    assert sum(reencrypt_each(NOW)) == 0
    assert not Task.objects.exclude(failures=0).exists()
    settings.WAYOUT_DIGEST_KEYS = [before]
    assert arrives(partner)
    assert len(partner.receiver.accepted) == 2


def test_a_secret_whose_key_is_lost_can_be_rotated(partner: Partner, settings: Any) -> None:
    rotate(settings, older=[])
    partner.receiver.secret = rotate_secret(endpoint=partner.endpoint, caller=SYSTEM, now=NOW)
    assert arrives(partner)
    assert why_unreadable(partner.again()) == ""


def test_going_back_changes_no_secret_or_is_refused(partner: Partner, settings: Any) -> None:
    """The version before computes them from the one key that it knows, and coming back does so from the oldest."""
    go_back = import_module("webhooks.migrations.0003_secrets").refuse_to_change
    Endpoint.objects.filter(pk=partner.endpoint.pk).update(
        secrets={partner.endpoint.salt: encrypt("wayout.webhook", computed(partner.endpoint.salt, settings.SECRET_KEY))}
    )
    go_back(apps, None)
    rotate(settings)
    with pytest.raises(CommandError, match="Nothing was migrated back"):
        go_back(apps, None)
