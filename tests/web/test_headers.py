"""What every answer tells browsers, and the names and marks of cookies."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from portal.web.headers import HEADERS
from tests.web.test_hardening import production
from tests.world import World

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.django_db
PAGES = {
    "sign-in": "/accounts/login/",
    "home": "/",
    "password": "/accounts/password/reset/",
    "second factor": "/accounts/2fa/",
    "admin": "/admin/",
    "admin list": "/admin/tenants/user/",
    "API": "/graphql/?query={__typename}",
    "API refused": "/graphql/?query={",
    "subgraph": "/subgraph/",
    "receipt": "/receipts/C-NONE/",
    "missing": "/no-such-page",
    "probe": "/healthz/live",
    "metrics": "/metrics",
    "redirect": "/favicon.ico",
    "other host": "/",
}


@pytest.mark.parametrize("kind", PAGES)
@pytest.mark.parametrize("signed_in", [False, True])
def test_every_answer_has_them(world: World, kind: str, signed_in: bool) -> None:
    client = Client(headers={"Host": "evil.example"} if kind == "other host" else None)
    if signed_in:
        client.force_login(world.person(None, is_staff=True, is_superuser=True))
    answer = client.get(PAGES[kind])
    assert {name: answer[name] for name in HEADERS} == HEADERS
    assert "camera=()" in answer["Permissions-Policy"]


def test_portals_on_other_origins_load_the_element(client: Client, settings: Any, tmp_path: Path) -> None:
    settings.STATIC_ROOT, settings.WHITENOISE_USE_FINDERS, settings.WHITENOISE_AUTOREFRESH = str(tmp_path), True, True
    fresh = Client()
    answer = fresh.get("/static/wayout/index.js", headers={"Origin": "https://portal.example"})
    assert "export" in answer.getvalue().decode()
    answer.close()
    assert answer["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert answer["Permissions-Policy"] == HEADERS["Permissions-Policy"]


# Everything that sets a cookie, in a production of its own.
_COOKIES = """
import json, sys
import django
django.setup()
from django.core.management import call_command
from django.test import Client
call_command("migrate", verbosity=0)
call_command("collectstatic", verbosity=0, interactive=False)
from tenants.models import User
User.objects.create_user("ada", "ada@contoso.example", "correct horse battery", is_staff=True)
client, found = Client(headers={"Host": "wayout.example"}, enforce_csrf_checks=True), {}
def ask(way, path, form=None, **more):
    answer = getattr(client, way)(path, form, secure=True, **more)
    found.update({name: [cookie[mark] for mark in ("secure", "httponly", "samesite", "path", "domain")]
                  for name, cookie in answer.cookies.items() if cookie.value})
    return answer
ask("get", "/accounts/login/")
name = next(name for name in client.cookies if name.endswith("csrftoken"))
form = {"login": "ada", "password": "correct horse battery", "csrfmiddlewaretoken": client.cookies[name].value}
signed_in = ask("post", "/accounts/login/", form, headers={"Referer": "https://wayout.example/accounts/login/"})
ask("get", "/admin/login/")
form = {"language": "bg", "csrfmiddlewaretoken": client.cookies[name].value}
ask("post", "/language/", form, headers={"Referer": "https://wayout.example/"})
plain = Client(headers={"Host": "wayout.example"})
plain.cookies["sessionid"] = client.cookies[next(name for name in client.cookies if name.endswith("sessionid"))].value
old = plain.get("/", secure=True).status_code
print(json.dumps([signed_in.status_code, old, found]))
"""


@pytest.mark.long
@pytest.mark.parametrize("https", ["1", "0"])
def test_cookies_are_of_this_host_alone_wherever_https_is_ours(tmp_path: Path, https: str) -> None:
    environment = production(WAYOUT_VAR=str(tmp_path), WAYOUT_HTTPS=https, DJANGO_SETTINGS_MODULE="portal.settings")
    ran = subprocess.run(
        [sys.executable, "-c", _COOKIES], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    status, old, found = json.loads(ran.stdout.splitlines()[-1])
    prefix = "__Host-" if https == "1" else ""
    scripted = f"{prefix}csrftoken"
    assert (status, old) == (302, 302 if prefix else 200)
    names = ("sessionid", "csrftoken", "wayout_browser", "language", "messages")
    assert set(found) == {f"{prefix}{name}" for name in names}
    for name, (secure, http_only, same_site, path, domain) in found.items():
        assert (secure, bool(http_only), same_site, path, domain) == (True, name != scripted, "Lax", "/", ""), name


def test_a_refused_form_says_which_cookie_is_meant(world: World) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.admin)
    answer = client.post(reverse("graphql"), {"query": "{ viewer { kind } }"}, content_type="application/json")
    assert "csrftoken" in answer.json()["errors"][0]["message"]
