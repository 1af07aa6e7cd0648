"""manage.py rotate_keys: looks, makes anew what can be, and lets no key go that rows still need."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from common.keys import key_id
from desk.models import OptOut
from desk.services.contacts import opt_out_digests
from portal.checks import check_keys, check_needed_keys
from portal.key_uses import needed
from tenants.models import AuditEvent
from tests.builders import NOW
from tests.partners import Partner
from tests.rotation import NEW, rotate
from webhooks.models import Endpoint

pytestmark = pytest.mark.django_db


def run(*step: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("rotate_keys", *step, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def refused(*step: str) -> str:
    with pytest.raises(CommandError) as refusal:
        run(*step)
    return str(refusal.value)


@pytest.fixture
def opted_out(partner: Partner) -> OptOut:
    [(key, digest)] = opt_out_digests(partner.world.tenant.pk, "+359888123456").items()
    return OptOut.objects.create(digest=digest, key_id=key, asked_at=NOW)


@pytest.mark.django_db(transaction=True)
def test_from_one_key_to_the_next(opted_out: OptOut, settings: Any) -> None:
    before = settings.SECRET_KEY
    old, new = key_id(before), key_id(NEW)
    out, err = run("--new")
    assert out.startswith("WAYOUT_SECRET_KEY=")
    assert len(out.strip()) > 50 + len("WAYOUT_SECRET_KEY=")
    assert before not in out + err
    rotate(settings)
    assert f"{new} WAYOUT_SECRET_KEY: no row needs it\n" in run()[0]
    assert f"{old} WAYOUT_SECRET_KEY_FALLBACKS: secrets of webhooks: 1, numbers not to be called: 1" in run()[0]
    assert "First: manage.py rotate_keys --reencrypt" in refused("--retire", old)
    assert run("--reencrypt", "--dry-run")[0] == f"To be encrypted under {new}: 1. Nothing was changed.\n"
    assert run("--reencrypt")[0] == f"Encrypted under {new}: 1.\n"
    assert run("--reencrypt")[0] == f"Encrypted under {new}: 0.\n"
    [done] = AuditEvent.objects.filter(tenant=None, action="keys.reencrypted")
    assert (done.subject, done.data) == (f"Key:{new}", {"rows": 1})
    assert "numbers not to be called: 1" in refused("--retire", old)
    assert "to WAYOUT_DIGEST_KEYS, where it signs nothing" in refused("--retire", old)
    settings.SECRET_KEY_FALLBACKS, settings.WAYOUT_DIGEST_KEYS = [], [before]
    assert "It stays in WAYOUT_DIGEST_KEYS" in refused("--retire", old)
    assert before not in "".join(run())


def test_a_key_that_nothing_needs_may_go(db: Any, settings: Any) -> None:
    old = key_id(settings.SECRET_KEY)
    rotate(settings)
    said = run("--retire", old)[0]
    assert f"No row needs {old}. Take it out of WAYOUT_SECRET_KEY_FALLBACKS." in said
    assert "Ends of the trail that were noted while it was current cannot be checked without it" in said
    assert "is the current key" in refused("--retire", key_id(NEW))
    assert "No key that is named is called 12345678." in refused("--retire", "12345678")


def test_a_key_that_is_not_named_is_told(opted_out: OptOut, settings: Any) -> None:
    old = key_id(settings.SECRET_KEY)
    rotate(settings, older=[])
    assert old in refused()
    assert "Not readable with the keys that are named: 1." in refused("--reencrypt")
    assert old in needed(NOW)
    [warned] = check_needed_keys(["default"])
    assert (warned.id, old in warned.msg) == ("portal.W022", True)
    assert not list(check_needed_keys(None))


def test_another_key_is_made_only_when_all_is_under_this_one(partner: Partner, settings: Any) -> None:
    Endpoint.objects.update(secrets={})
    assert "--reencrypt" in refused("--new")
    run("--reencrypt")
    assert run("--new")
    settings.SECRET_KEY = "a key, with a comma"
    settings.SECRET_KEY_FALLBACKS = []
    Endpoint.objects.all().delete()
    assert "comma" in refused("--new")


def test_a_dry_run_of_what_changes_nothing_is_refused(db: Any) -> None:
    assert "--reencrypt" in refused("--dry-run")


def test_lists_of_keys_that_cannot_be_meant_are_told(settings: Any) -> None:
    assert not list(check_keys())
    settings.SECRET_KEY_FALLBACKS, settings.WAYOUT_DIGEST_KEYS = [NEW], [NEW]
    assert [found.id for found in check_keys()] == ["portal.W021"]
