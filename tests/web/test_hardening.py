"""What stands between the endpoint and the internet: rates, headers, health, metrics, origins, logs."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import time_machine
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from common import rates
from common.errors import RateLimited
from outbox.worker import work_off
from portal.accounts.attempts import begin_attempt, forget_attempts
from portal.web.edge import host_of
from subscriptions.models import License
from tenants.callers import Role, Scope
from tenants.models import AuditEvent, AuditPersonalData, User
from tests.builders import NOW
from tests.graphql.documents import REMOVE, VIEWER
from tests.outsiders import require
from tests.world import Api, World

ROOT = Path(__file__).resolve().parents[2]
REDIS = os.environ.get("WAYOUT_TEST_REDIS", "redis://127.0.0.1:6379/9")
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_counts() -> Any:
    rates._limiter.cache_clear()
    yield
    rates._limiter.cache_clear()


@pytest.fixture
def redis_url() -> str:
    """Redis; without it this says so, and fails in CI."""
    require(REDIS)
    return REDIS


def test_a_token_may_ask_so_often_and_is_told(world: World, settings: Any) -> None:
    settings.WAYOUT_CALLER_RATE = "3/minute"
    api = Api(token=world.token(Scope.READ), language="bg")
    with time_machine.travel(NOW, tick=False):
        left = [api.post(VIEWER) for _ in range(3)]
        assert [answer["RateLimit-Remaining"] for answer in left] == ["2", "1", "0"]
        assert left[0]["RateLimit-Limit"] == "3"
        over = api.post(VIEWER)
        assert over.status_code == 429
        assert 1 <= int(over["Retry-After"]) <= 60
        [error] = over.json()["errors"]
        assert error["extensions"]["code"] == "RATE_LIMITED"
        assert error["message"] == "Твърде много заявки. Опитайте отново след 1 минута."
        # Another caller is another count.
        assert Api(world.admin).post(VIEWER).status_code == 200


def test_changes_of_a_tenant_by_its_people_are_counted_together_and_nobody_uses_up_what_others_need(
    world: World, settings: Any
) -> None:
    settings.WAYOUT_TENANT_RATE = "2/minute"
    subscription, other = world.subscription(5), World.build().subscription(1)
    user = License.objects.filter(subscription=subscription).values_list("user", flat=True)[0]
    given = {"subscriptionId": f"sub_{subscription.pk}", "userIds": [f"usr_{user}"]}

    def codes(*callers: Api, **more: Any) -> list[str | None]:
        answers = [api.post(REMOVE, input={**given, **more}) for api in callers]
        refused = [answer for answer in answers if "RATE_LIMITED" in answer.text]
        assert all(1 <= int(answer["Retry-After"]) <= 60 for answer in refused)
        return [answer.json()["data"]["removeUsers"].get("code") for answer in answers]

    tokens = [Api(token=world.token(Scope.REMOVE_USERS)) for _ in range(2)]
    people = [Api(world.admin), Api(world.person(Role.BILLING_ADMIN)), Api(world.admin)]
    two_and_no_more = [None, None, "RATE_LIMITED"]
    assert codes(*[tokens[0]] * 3, dryRun=True) == two_and_no_more
    assert codes(*[tokens[0]] * 3) == two_and_no_more
    assert codes(tokens[1]) == [None]
    assert codes(*people, dryRun=True) == two_and_no_more
    assert codes(*people) == two_and_no_more
    elsewhere = {"subscriptionId": f"sub_{other.pk}", "userIds": []}
    outside = World(other.tenant, None)  # type: ignore[arg-type]
    assert "code" not in Api(token=outside.token(Scope.REMOVE_USERS))(REMOVE, input=elsewhere)["removeUsers"]


def test_attempts_are_counted_in_redis_as_in_a_process(settings: Any, redis_url: str) -> None:
    for settings.WAYOUT_REDIS_URL in ("", redis_url):
        who = uuid.uuid4().hex
        assert [begin_attempt(who) for _ in range(5)] == [False, False, False, False, True]
        with pytest.raises(RateLimited) as refused:
            begin_attempt(who)
        assert 28 <= refused.value.retry_after <= 30
        forget_attempts(who)
        assert begin_attempt(who) is False
        forget_attempts(who)


def test_with_redis_all_processes_count_together(settings: Any, redis_url: str) -> None:
    settings.WAYOUT_REDIS_URL = redis_url
    who = uuid.uuid4().hex
    code = (
        "import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'; django.setup()\n"
        f"from common.rates import hit_rate_limit; print(hit_rate_limit('5/minute', '{who}').remaining)"
    )
    environment = {**os.environ, "WAYOUT_REDIS_URL": redis_url}
    remaining = [
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        for _ in range(2)
    ]
    assert [ran.stdout.strip() for ran in remaining] == ["4", "3"]
    assert rates.hit_rate_limit("5/minute", who).remaining == 2


@pytest.mark.parametrize("page", ["login", "home", "admin:index", "admin:login", "graphql", "live"])
def test_every_answer_carries_the_strict_policy(world: World, page: str) -> None:
    staff = world.person(None, is_staff=True, is_superuser=True)
    for client in (Client(), Client()):
        answer = client.get(reverse(page))
        policy = answer["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert len(answer["Wayout-Request-Id"]) == 32
        client.force_login(staff)


def production(**environment: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WAYOUT_", "DJANGO_"))}
    return {
        **kept,
        "WAYOUT_DEBUG": "0",
        "WAYOUT_SECRET_KEY": "".join(map(chr, range(48, 108))),
        "WAYOUT_HOSTS": "wayout.example",
        "WAYOUT_PROXIES": "1",
        "WAYOUT_EMAIL_URL": "submission://mail.example",
        "WAYOUT_STAFF_EMAIL": "staff@wayout.example",
        **environment,
    }


def test_check_deploy_is_clean(tmp_path: Path) -> None:
    checked = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT, env=production(WAYOUT_VAR=str(tmp_path)), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("secret", ["", "short", "x" * 49])
def test_no_start_without_a_real_secret(tmp_path: Path, secret: str) -> None:
    refused = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT, env=production(WAYOUT_VAR=str(tmp_path), WAYOUT_SECRET_KEY=secret),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode != 0
    assert "50 characters or more" in refused.stderr


def test_live_and_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    assert client.get("/healthz/live").json() == {"status": "ok"}
    ready = client.get("/healthz/ready")
    assert (ready.status_code, ready.json()["status"]) == (200, "ok")
    monkeypatch.setattr(cache, "get", lambda _key: None)
    broken = client.get("/healthz/ready")
    assert (broken.status_code, broken.json()["checks"]["cache"]) == (503, "failed")


class _NotCollected:
    hashed_files: ClassVar[dict[str, str]] = {}


@pytest.mark.parametrize(
    ("what", "where", "instead"),
    [
        (["turns"], "portal.web.health.has_a_turn", lambda: False),
        (["disk"], "shutil.disk_usage", lambda _folder: SimpleNamespace(free=49_000_000)),
        (["static"], "portal.web.health.staticfiles_storage", _NotCollected()),
        # Nobody is asked for migrations then, who would wait for it once more.
        (["database", "migrations"], "portal.web.health._database", lambda: 1 / 0),
    ],
)
def test_not_ready_names_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, what: list[str], where: str, instead: Any
) -> None:
    monkeypatch.setattr(where, instead)
    answer = Client().get("/healthz/ready")
    assert answer.status_code == 503
    assert [name for name, said in answer.json()["checks"].items() if said != "ok"] == what


@pytest.mark.parametrize(
    ("sent", "known"),
    [
        ("Wayout.Example", "wayout.example"),
        ("wayout.example.", "wayout.example"),
        ("wayout.example:443", "wayout.example"),
        ("wayout.example:1234", "wayout.example"),
        ("wayout.example:8443", "wayout.example:8443"),
        ("elsewhere.example:8443", "elsewhere.example"),
        ("localhost:80", "localhost:80"),
        ("[::1]", "[::1]"),
        ("[::1]:80", "[::1]:80"),
        ("[::1]:81", "[::1]"),
        (":80", ":80"),
    ],
)
def test_the_host_has_one_spelling_and_no_port_that_is_not_ours(settings: Any, sent: str, known: str) -> None:
    settings.WAYOUT_HOSTS = ["wayout.example:8443", "localhost"]
    assert host_of(sent, "80") == known


def test_a_mailed_link_leads_to_no_port_that_a_stranger_names(person: User, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["wayout.example"]
    Client().post("/accounts/password/reset/", {"email": person.email}, headers={"Host": "Wayout.example:6666"})
    work_off()
    assert "http://wayout.example/accounts/password/reset/key/" in mail.outbox[0].body
    assert "6666" not in mail.outbox[0].body


@pytest.mark.parametrize(
    ("token", "sent", "status"),
    [("", "", 404), ("", "Bearer ", 404), ("m3", "Bearer x", 404), ("m3", "Bearer m3", 200)],
)
def test_metrics_are_for_whoever_bears_their_token(settings: Any, token: str, sent: str, status: int) -> None:
    settings.WAYOUT_METRICS_TOKEN = token
    answer = Client().get("/metrics", headers={"Authorization": sent})
    assert answer.status_code == status
    assert (b"django_http_requests" in answer.content) is (status == 200)


PREFLIGHT = {
    "Origin": "https://portal.example",
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, content-type, wayout-locale",
}


def test_no_other_origin_unless_it_is_configured(world: World, settings: Any) -> None:
    refused = Client().options("/graphql/", headers=PREFLIGHT)
    assert "Access-Control-Allow-Origin" not in refused
    settings.CORS_ALLOWED_ORIGINS = ["https://portal.example"]
    allowed = Client().options("/graphql/", headers=PREFLIGHT)
    assert allowed["Access-Control-Allow-Origin"] == "https://portal.example"
    assert "authorization" in allowed["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in allowed
    api = Api(token=world.token(Scope.READ))
    api.headers["Origin"] = "https://portal.example"
    answer = api.post(VIEWER)
    assert answer["Access-Control-Allow-Origin"] == "https://portal.example"
    assert "ratelimit-remaining" in answer["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Origin" not in Client().get("/login/", headers={"Origin": "https://portal.example"})


def test_a_portal_on_another_origin_can_read_that_there_is_too_much_to_do(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://portal.example"]
    monkeypatch.setattr("portal.web.overload._TIMEOUT", 0)
    monkeypatch.setattr("threading.BoundedSemaphore.acquire", lambda *_args, **_given: False)
    refused = Client().post("/graphql/", headers={"Origin": "https://portal.example"})
    assert (refused.status_code, refused["Access-Control-Allow-Origin"]) == (503, "https://portal.example")
    assert "retry-after" in refused["Access-Control-Expose-Headers"]


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "1.2.3.4", "127.0.0.1"),
        (1, "9.9.9.9, 1.2.3.4", "1.2.3.4"),
        (2, "1.2.3.4, 10.0.0.1", "1.2.3.4"),
        (2, "10.0.0.1", "127.0.0.1"),
    ],
)
def test_the_address_is_evidence_and_cannot_be_made_up(
    world: World, settings: Any, proxies: int, forwarded: str, address: str
) -> None:
    settings.WAYOUT_PROXIES = proxies
    subscription = world.subscription(3)
    user = License.objects.values_list("user", flat=True)[0]
    api = Api(world.admin)
    api.headers["X-Forwarded-For"] = forwarded
    answer = api.post(REMOVE, input={"subscriptionId": f"sub_{subscription.pk}", "userIds": [f"usr_{user}"]})
    event = AuditEvent.objects.get()
    assert event.correlation_id == answer["Wayout-Request-Id"]
    assert AuditPersonalData.objects.get().data["address"] == address
    assert address not in json.dumps(event.data)


def test_the_log_tells_of_requests_and_of_nobody(world: World, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("wayout.request").setLevel(logging.INFO)
    client = Client()
    client.force_login(world.admin)
    with caplog.at_level(logging.INFO):
        answer = client.get("/", {"phone": "+359888123456"})
    [line] = [record.getMessage() for record in caplog.records if record.name == "wayout.request"]
    assert answer["Wayout-Request-Id"] in line
    for secret in ("359888123456", world.admin.email, world.admin.username, "127.0.0.1"):
        assert secret not in line


def test_what_is_sent_by_https_says_so_of_its_cookies() -> None:
    """Also where somebody else redirects to HTTPS, and the settings of cookies say nothing of it."""
    for scheme, is_secure in (("https", True), ("http", False)):
        page = Client().get("/accounts/login/", secure=scheme == "https")
        cookies = list(page.cookies.values())
        assert cookies
        assert {bool(cookie["secure"]) for cookie in cookies} == {is_secure}


@pytest.mark.parametrize(("language", "sentence"), [("en", "Ask by HTTPS"), ("bg", "Питайте по HTTPS")])
def test_the_api_is_not_redirected_to_https_but_refused(settings: Any, language: str, sentence: str) -> None:
    settings.SECURE_SSL_REDIRECT = True
    headers = {"Wayout-Locale": language, "Authorization": "Bearer seen by everybody"}
    for path in ("/graphql/", "/subgraph/"):
        refused = Client().post(path, {"query": VIEWER}, content_type="application/json", headers=headers)
        [error] = refused.json()["errors"]
        assert (refused.status_code, error["extensions"]["code"]) == (403, "HTTPS_REQUIRED")
        assert error["message"].startswith(sentence)
    assert Client().get("/accounts/login/").status_code == 301
    asked = Client().post("/graphql/", {"query": VIEWER}, content_type="application/json", secure=True)
    assert asked.status_code == 200
