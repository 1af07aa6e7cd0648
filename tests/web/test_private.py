"""What is somebody's own is kept nowhere on its way, nor on the disk of a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tenants.callers import Scope
from tenants.models import User
from tests.graphql.documents import VIEWER
from tests.world import Api, World

pytestmark = pytest.mark.django_db
# What a pattern asks for, and something that may be there.
_TYPED = {"int": "1", "key": "1", "str": "x", "slug": "x", "path": "1"}


def addresses(patterns: list[URLPattern | URLResolver], before: str = "/") -> Iterator[str]:
    """Every address of the table, with something in it for what it asks for."""
    for pattern in patterns:
        found = before + _filled(pattern)
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, found)
        else:
            yield found


def _filled(pattern: URLPattern | URLResolver) -> str:
    converters = pattern.pattern.converters
    route = str(pattern.pattern)
    for name, converter in converters.items():
        kind = type(converter).__name__.removesuffix("Converter").lower()
        typed = _TYPED.get(kind, "1")
        for written in (f"<{kind}:{name}>", f"<key:{name}>", f"<{name}>"):
            route = route.replace(written, typed)
    return route.replace("^", "").replace("$", "").replace("\\Z", "")


ADDRESSES = sorted(set(addresses(get_resolver().url_patterns)))


def test_nothing_behind_a_sign_in_is_kept(world: World) -> None:
    staff = world.person(None, is_staff=True, is_superuser=True)
    clients = [Client(raise_request_exception=False), Client(raise_request_exception=False)]
    assert len(ADDRESSES) > 150
    for address in ADDRESSES:
        for client in clients:
            clients[1].force_login(staff)  # some of them sign out
            answer = client.get(address)
            kept = "no-store" not in answer.headers.get("Cache-Control", "")
            assert kept == address.startswith("/healthz/"), address


def test_neither_are_answers_of_the_api_nor_receipts_nor_refusals(world: World, person: User) -> None:
    api = Api(token=world.token(Scope.READ))
    answers = [api.post(VIEWER), Api().post(VIEWER), Client().get("/nowhere/"), Client(HTTP_HOST="x").get("/")]
    assert [answer["Cache-Control"] for answer in answers] == ["no-store"] * 4


def test_a_link_that_resets_a_password_is_told_to_nobody_by_the_page_it_opens() -> None:
    answer = Client().get("/accounts/password/reset/key/1-secret/", follow=True)
    assert answer["Referrer-Policy"] in ("no-referrer", "same-origin")
    assert "no-store" in answer["Cache-Control"]


def test_static_files_are_kept() -> None:
    """They are answered before, so that browsers keep them for as long as they are the same."""
    order = settings.MIDDLEWARE
    assert order.index("whitenoise.middleware.WhiteNoiseMiddleware") < order.index(
        "portal.web.private.PrivateMiddleware"
    )
