"""Redis, refused or silent: every request is answered, soon, and what guards accounts goes on guarding."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from prometheus_client import REGISTRY

from common import rates, store
from tenants.callers import Scope
from tenants.models import User
from tests.accounts.test_people import code, sign_in, with_totp
from tests.graphql.documents import LIST, VIEWER
from tests.outsiders import Outsider, refused, silent
from tests.web.test_hardening import redis_url
from tests.world import Api, World

__all__ = ["redis_url"]
pytestmark = pytest.mark.django_db


def use(settings: Any, url: str) -> None:
    settings.WAYOUT_REDIS_URL = url
    settings.CACHES = {"default": {"BACKEND": "common.store.SharedCache", "LOCATION": url}}
    rates._limiter.cache_clear()
    store.circuit.worked()
    store.SharedCache(url, {})._own.clear()


@pytest.fixture(params=["refused", "silent"])
def away(request: pytest.FixtureRequest, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outsider]:
    """Redis, as it is on a bad day; it is not looked for again."""
    monkeypatch.setattr(store.circuit, "_pause", 600)
    with nullcontext(refused()) if request.param == "refused" else silent() as outsider:
        use(settings, f"redis://127.0.0.1:{outsider.port}/0")
        yield outsider
    store.circuit.worked()
    rates._limiter.cache_clear()


def missed() -> float:
    return REGISTRY.get_sample_value("wayout_store_away_total") or 0


def test_every_token_is_answered_and_only_the_first_one_waits(
    away: Outsider, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    api, before = Api(token=world.token(Scope.READ)), missed()
    began = time.monotonic()
    first = api.post(VIEWER)
    assert time.monotonic() - began < 2
    assert (first.status_code, first["RateLimit-Remaining"]) == (200, "999999")
    began = time.monotonic()
    for number in range(10):
        answer = api.post(LIST)
        assert (answer.status_code, answer["RateLimit-Remaining"]) == (200, str(999_998 - number))
    assert time.monotonic() - began < 3
    assert len(away.calls) <= 1
    assert missed() >= before + 11
    assert caplog.text.count("Redis is away") == 1


def test_limits_are_counted_by_the_process_alone(away: Outsider, world: World, settings: Any) -> None:
    settings.WAYOUT_CALLER_RATE = "3/minute"
    api = Api(token=world.token(Scope.READ))
    assert [api.post(VIEWER).status_code for _ in range(4)] == [200, 200, 200, 429]


def test_failed_sign_ins_and_resets_are_limited_all_the_same(away: Outsider, person: User) -> None:
    for _ in range(6):
        sign_in(Client(), person, "wrong")
    assert sign_in(Client(), person).status_code == 429
    answers = [Client().post("/accounts/password/reset/", {"email": person.email}) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [302] * 5 + [429]


def test_a_code_of_a_second_factor_works_once_all_the_same(away: Outsider, person: User) -> None:
    given = code(with_totp(person))
    for comes_in in (True, False):
        client = Client()
        asked = sign_in(client, person)
        client.post(asked.redirect_chain[-1][0], {"code": given})
        assert (client.get("/").status_code == 200) is comes_in


def test_a_process_stays_ready_and_says_so(away: Outsider) -> None:
    Client().get("/healthz/ready")
    ready = Client().get("/healthz/ready")
    assert (ready.status_code, ready.json()["checks"]["cache"]) == (200, "away")


def test_documents_by_their_hash_are_sent_again(away: Outsider, world: World) -> None:
    cache.set("document:x", "{ a }", 60)
    assert cache.get("document:x") == "{ a }"


def test_when_redis_is_back_it_is_used_again(settings: Any, redis_url: str) -> None:
    use(settings, redis_url)
    store.circuit.failed()
    cache.set("wayout-test", "alone", 60)
    store.circuit._until = time.monotonic()  # the moment is over
    assert cache.get("wayout-test") is None
    cache.set("wayout-test", "together", 60)
    store.circuit.failed()
    assert cache.get("wayout-test") == "alone"
    store.circuit.worked()
    assert cache.get("wayout-test") == "together"
    cache.delete("wayout-test")
    assert cache.add("wayout-test", 1, 60)
    assert not cache.add("wayout-test", 1, 60)
    assert cache.incr("wayout-test") == 2
    assert cache.touch("wayout-test", 30)
    assert cache.delete("wayout-test")
    rates._limiter.cache_clear()
