"""What people hold counts on when the installation's key becomes another: sessions, tokens, links, quotes."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from outbox.worker import work_off
from subscriptions.policy.facts import Mode
from tenants.models import User
from tests.accounts.test_attempts import typed
from tests.accounts.test_people import sign_in
from tests.builders import NOW
from tests.graphql.test_accounts import REFRESH, SIGN_OUT, ask, email, tokens
from tests.rotation import rotate
from tests.subscriptions.test_cancellation_service import cancel, quote_of
from tests.world import PASSWORD, Api, World

pytestmark = pytest.mark.django_db


def is_signed_in(client: Client) -> bool:
    return client.get("/accounts/login/").status_code == 302


@pytest.mark.parametrize("named", [True, False])
def test_a_session_counts_on_as_long_as_its_key_is_named(person: User, settings: Any, named: bool) -> None:
    client = Client()
    sign_in(client, person)
    rotate(settings, older=None if named else [])
    assert is_signed_in(client) is named
    # It is under the current key now, and needs the older one no more.
    settings.SECRET_KEY_FALLBACKS = []
    assert is_signed_in(client) is named


def test_a_page_that_asks_several_things_at_once_stays_signed_in(person: User, settings: Any) -> None:
    client = Client()
    sign_in(client, person)
    beside = Client()
    beside.cookies = client.cookies.copy()
    rotate(settings)
    assert [is_signed_in(client), is_signed_in(beside), is_signed_in(client)] == [True, True, True]


def test_tokens_count_on(person: User, settings: Any) -> None:
    session = tokens(person)
    rotate(settings)
    assert [email(Api(token=session["accessToken"])) for _ in range(2)] == [person.email] * 2
    after = ask(Api(), REFRESH, refreshToken=session["refreshToken"])["session"]
    settings.SECRET_KEY_FALLBACKS = []
    assert email(Api(token=after["accessToken"])) == person.email
    assert email(Api(token=session["accessToken"])) is None
    again = ask(Api(), REFRESH, refreshToken=after["refreshToken"])["session"]
    assert email(Api(token=again["accessToken"])) == person.email


def test_a_refresh_token_of_an_older_key_is_good_once_and_signing_out_ends_it(person: User, settings: Any) -> None:
    one, another = tokens(person), tokens(person)
    rotate(settings)
    assert "session" in ask(Api(), REFRESH, refreshToken=one["refreshToken"])
    assert ask(Api(), REFRESH, refreshToken=one["refreshToken"])["code"] == "SESSION_ENDED"
    assert ask(Api(token=another["accessToken"]), SIGN_OUT) == {"signedOut": True}
    assert ask(Api(), REFRESH, refreshToken=another["refreshToken"])["code"] == "SESSION_ENDED"


def test_a_token_of_a_key_that_is_not_named_is_none(person: User, settings: Any) -> None:
    session = tokens(person)
    rotate(settings, older=[], digests=[settings.SECRET_KEY])
    assert email(Api(token=session["accessToken"])) is None
    assert ask(Api(), REFRESH, refreshToken=session["refreshToken"])["code"] == "SESSION_ENDED"


def test_a_changed_password_ends_sessions_of_an_older_key_too(person: User, settings: Any) -> None:
    client, session = Client(), tokens(person)
    sign_in(client, person)
    rotate(settings)
    person.set_password("another fine horse")
    person.save()
    assert not is_signed_in(client)
    assert email(Api(token=session["accessToken"])) is None


def test_a_link_to_reset_a_password_counts_on(person: User, settings: Any) -> None:
    client = Client()
    client.post("/accounts/password/reset/", {"email": person.email})
    work_off()
    found = re.search(r"https?://[^/]+(/\S*password\S*)", str(mail.outbox[-1].body))
    assert found
    rotate(settings)
    page = client.get(found[1], follow=True)
    assert 'name="password1"' in page.text
    settings.SECRET_KEY_FALLBACKS = []
    assert 'name="password1"' not in Client().get(found[1], follow=True).text


def test_a_quote_counts_on(world: World, settings: Any) -> None:
    subscription = world.subscription()
    quote = quote_of(world, subscription, Mode.IMMEDIATE, NOW)
    rotate(settings)
    assert not cancel(world, subscription, quote_id=quote).replayed


def test_a_browser_that_is_known_stays_known(person: User, settings: Any) -> None:
    own = Client()
    typed(own, person.username, PASSWORD)
    own.post("/accounts/logout/")
    for _ in range(6):
        typed(Client(), person.username)
    rotate(settings)
    # Counts are hashed with the key, too, and last six hours: those of strangers begin anew.
    for _ in range(6):
        typed(Client(), person.username)
    assert typed(Client(), person.username, PASSWORD).status_code == 429
    assert typed(own, person.username, PASSWORD).status_code == 302
