"""The HTTP entry point: JSON whatever comes, languages, masked errors, limits."""

from __future__ import annotations

import json
import logging
import threading
from typing import Any

import pytest
import time_machine
from django.test import Client

from subscriptions.selectors.batches import SubscriptionBatch
from tenants.callers import Scope
from tests.builders import NOW
from tests.graphql.documents import CANCEL, OPTIONS, VIEWER
from tests.world import ACTING_SCOPES, Api, World

pytestmark = pytest.mark.django_db

HOSTILE = [
    b"5", b"null", b"true", b'"x"', b"[]", b"{}", b"", b"{", b"\xff\xfe", "{}".encode("utf-16"), b"\xef\xbb\xbf{}",
    b'{"query": 5}', b'{"query": null}', b'{"query": ""}', b'{"query": "{"}', b'{"query": "{ viewer { nope } }"}',
    b'{"query": "{ viewer { id } }", "variables": 5}', b'{"query": "{ viewer { id } }", "extensions": []}',
    b'{"query": "{ viewer { id } }", "operationName": "nope"}', b'{"query": "{ viewer { id } }", "operationName": 5}',
    b'{"a": ' + b"9" * 5_000 + b"}", b"[" * 100_000, b'{"a":' * 100_000, b'[{"query": "{ viewer { id } }"}]',
    b'{"query": "query($id: ID!) { node(id: $id) { id } }", "variables": {"id": {"a": 1}}}',
    b'{"query": "query($id: ID!) { node(id: $id) { id } }", "variables": {"id": "\\ud800"}}',
    b'{"query": "query($id: ID!) { node(id: $id) { id } }", "variables": {"id": 1e400}}',
    b'{"query": "query($id: ID!) { node(id: $id) { id } }", "variables": {"id": "\\u0000"}}',
    b'{"query": "query($n: Int!) { subscriptions(first: $n) { totalCount } }", "variables": {"n": 99999999999}}',
    b'{"query": "query($n: Int!) { subscriptions(first: $n) { totalCount } }", "variables": {"n": null}}',
    b'{"query": "query($s: [SubscriptionStatus!]) { subscriptions(status: $s) { totalCount } }", "variables": {"s": "\\ud800"}}',
    b'{"query": "{ viewer { a\\ud800 } }"}',
    b'{"query": "mutation { cancelSubscription(input: {}) { __typename } }"}',
    b'{"query": "subscription { x }"}',
    b'{"query": "' + b"{ a " * 600 + b'"}',
]  # fmt: skip


@pytest.mark.parametrize("body", HOSTILE, ids=lambda body: repr(body[:60]))
def test_never_a_500_and_always_json(world: World, body: bytes) -> None:
    for api in (Api(world.admin), Api(token=world.token(*ACTING_SCOPES)), Api()):
        answer = api.client.post("/graphql/", body, content_type="application/json", headers=api.headers)
        assert answer.status_code in ((200, 400) if body else (415,))
        assert answer["Content-Type"].startswith("application/json")
        errors = answer.json().get("errors")
        assert errors is None or all(error["extensions"]["code"] != "INTERNAL_ERROR" for error in errors)


@pytest.mark.parametrize(
    ("method", "content_type"), [("get", None), ("put", None), ("delete", None), ("post", "text/plain"), ("post", None)]
)
def test_other_methods_and_media_types_get_json_errors(method: str, content_type: str | None) -> None:
    given: dict[str, Any] = {"content_type": content_type} if content_type else {}
    answer = getattr(Client(raise_request_exception=False), method)("/graphql/", **given)
    assert 400 <= answer.status_code < 500
    assert answer.json()["errors"][0]["extensions"]["code"] == "INPUT_INVALID"


def test_bulgarian_leaves_as_it_is_written(world: World) -> None:
    answer = Api(world.admin, language="bg").post(OPTIONS, id=f"sub_{world.subscription(26).pk}")
    assert "Присвоени са 26".encode() in answer.content


def test_a_body_that_is_too_large() -> None:
    answer = Client().post("/graphql/", b'{"query": "' + b" " * 1_000_001 + b'"}', content_type="application/json")
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (413, "INPUT_INVALID")


def test_a_mutation_by_get_is_refused(world: World) -> None:
    api = Api(token=world.token(*ACTING_SCOPES))
    answer = api.client.get("/graphql/", {"query": "mutation { __typename }"}, headers=api.headers)
    assert 400 <= answer.status_code < 500
    assert api.client.get("/graphql/", {"query": "{ viewer { kind } }"}, headers=api.headers).json()["data"]


def test_what_nobody_expected_is_masked_and_logged_once(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise ValueError("duplicate key value violates unique constraint: secret detail")

    monkeypatch.setattr(SubscriptionBatch, "find", fail)
    with caplog.at_level(logging.ERROR):
        body = Api(world.admin, language="bg").raw(OPTIONS, id="sub_1")
    [error] = body["errors"]
    assert error["extensions"]["code"] == "INTERNAL_ERROR"
    assert "secret" not in json.dumps(body)
    assert error["extensions"]["correlationId"] in error["message"]
    assert "Нещо се обърка" in error["message"]
    [record] = [r for r in caplog.records if r.name == "wayout.graphql"]
    assert error["extensions"]["correlationId"] in record.getMessage()
    assert record.exc_info


@pytest.mark.parametrize(
    ("headers", "preferred", "tenant", "language"),
    [
        ({"Wayout-Locale": "bg", "Accept-Language": "en"}, "en", "en", "bg"),
        ({"Wayout-Locale": "fr", "Accept-Language": "en"}, "bg", "en", "bg"),
        ({"Accept-Language": "bg-BG,bg;q=0.9,en;q=0.8"}, "", "en", "bg"),
        ({"Accept-Language": "fr-FR, en;q=0.5"}, "", "bg", "en"),
        ({"Accept-Language": "fr"}, "", "bg", "bg"),
        ({}, "", "bg", "bg"),
        ({}, "", "en", "en"),
        ({"Accept-Language": "*"}, "", "bg", "bg"),
        ({"Wayout-Locale": "x" * 1000}, "", "en", "en"),
    ],
)
@time_machine.travel(NOW, tick=False)
def test_language(db: None, headers: dict[str, str], preferred: str, tenant: str, language: str) -> None:
    world = World.build(language=tenant)
    world.admin.language = preferred
    world.admin.save()
    subscription = world.subscription(26)
    api = Api(world.admin)
    api.headers = headers
    answer = api.post(OPTIONS, id=f"sub_{subscription.pk}")
    assert answer["Content-Language"] == language
    assert "Accept-Language" in answer["Vary"]
    headline = answer.json()["data"]["cancellationOptions"]["headline"]
    assert headline.startswith("Присвоени са" if language == "bg" else "26 licenses")


@time_machine.travel(NOW, tick=False)
def test_the_language_of_a_tokens_tenant(db: None) -> None:
    world = World.build(language="bg")
    given = {"subscriptionId": "sub_1", "quoteId": "x", "idempotencyKey": "k"}
    problem = Api(token=world.token(Scope.CANCEL))(CANCEL, input=given)["cancelSubscription"]
    assert problem["message"] == "Няма нищо с този идентификатор."


@pytest.mark.django_db(transaction=True)
def test_two_languages_at_once_do_not_mix() -> None:
    world = World.build()
    wrong: list[str] = []

    def ask(language: str, expected: str) -> None:
        api = Api(token=token, language=language)
        for _ in range(10):
            message = api.raw(CANCEL, input={"subscriptionId": "x", "quoteId": "x", "idempotencyKey": "k"})
            if message["data"]["cancelSubscription"]["message"] != expected:
                wrong.append(language)

    token = world.token(Scope.CANCEL)
    expected = {"en": "There is nothing with this id.", "bg": "Няма нищо с този идентификатор."}
    threads = [threading.Thread(target=run_and_close, args=(ask, *item)) for item in expected.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def run_and_close(work: Any, *args: Any) -> None:
    from django.db import connection

    try:
        work(*args)
    finally:
        connection.close()


@pytest.mark.parametrize("language", ["en", "bg"])
def test_not_signed_in_is_said_in_the_language(language: str) -> None:
    [error] = Api(language=language).raw(VIEWER)["errors"]
    assert error["extensions"]["code"] == "NOT_AUTHENTICATED"
    assert error["message"].isascii() is (language == "en")


def test_an_error_takes_only_a_form_that_the_payload_has() -> None:
    """Whatever a service comes to raise: what is expected never ends as an error of ours."""
    from portal.graphql.errors import as_problem
    from portal.graphql.types.problems import InputProblem, ProblemCode
    from subscriptions.errors import QuoteChanged, RouteNotAvailable
    from webhooks.errors import AddressPrivate, TooManyEndpoints

    raised = (
        RouteNotAvailable("x"),
        QuoteChanged("x", mode=""),
        AddressPrivate("url"),
        TooManyEndpoints("url", count=10),
    )
    said = [as_problem(error, None, None, (InputProblem,)) for error in raised]  # type: ignore[arg-type]
    assert [type(problem) for problem in said] == [InputProblem] * 4
    assert [problem.code for problem in said][:3] == [
        ProblemCode.ROUTE_NOT_AVAILABLE, ProblemCode.QUOTE_CHANGED, ProblemCode.INPUT_INVALID,
    ]  # fmt: skip
    assert said[3].path == ["input", "url"]
