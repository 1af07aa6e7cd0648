"""GraphQL over HTTP: media types, methods, statuses, persisted queries."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from tests.graphql.documents import VIEWER
from tests.world import Api, World

pytestmark = pytest.mark.django_db

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"
NOT_EXECUTED = ["{", "{ nope }", "query($id: ID!) { node(id: $id) { id } }"]


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL}, {JSON};q=0.9", GRAPHQL),
        (f"{JSON}, {GRAPHQL};q=0.9", JSON),
        (f"{GRAPHQL}; charset=utf-8", GRAPHQL),
    ],
)
def test_media_types(world: World, accept: str | None, answered: str) -> None:
    api = Api(world.admin)
    api.headers = {"Accept": accept} if accept else {}
    answer = api.post("{ viewer { id } }")
    assert (answer.status_code, answer["Content-Type"]) == (200, f"{answered}; charset=utf-8")
    assert answer.json()["data"]["viewer"]["id"]


@pytest.mark.parametrize("document", NOT_EXECUTED)
def test_a_request_that_was_never_executed(world: World, document: str) -> None:
    api = Api(world.admin)
    api.headers = {"Accept": GRAPHQL}
    strict = api.post(document)
    assert (strict.status_code, set(strict.json())) == (400, {"errors"})
    api.headers = {"Accept": JSON}
    assert api.post(document).status_code == 200


def test_an_error_while_executing_is_a_200_with_data(world: World) -> None:
    api = Api()
    api.headers = {"Accept": GRAPHQL}
    answer = api.post(VIEWER)
    assert (answer.status_code, answer.json()["data"]) == (200, None)


@pytest.mark.parametrize(
    ("method", "given", "status"),
    [
        ("put", {"data": "{}", "content_type": JSON}, 405),
        ("delete", {}, 405),
        ("patch", {}, 405),
        ("options", {}, 405),
        ("get", {"query_params": {"query": "mutation { __typename }"}}, 405),
        ("get", {"headers": {"Accept": "text/html"}}, 406),
        ("post", {"data": "{}", "content_type": JSON, "headers": {"Accept": "image/png"}}, 406),
        ("post", {"data": "query=1", "content_type": "application/x-www-form-urlencoded"}, 415),
        ("post", {"data": "{}", "content_type": "text/plain"}, 415),
        ("post", {"data": "{}", "content_type": f"{JSON}; charset=utf-16"}, 415),
        ("post", {"data": {"operations": "{}"}}, 415),
        ("post", {"data": "[]", "content_type": JSON}, 400),
        ("post", {"data": "{}", "content_type": JSON}, 400),
        ("get", {}, 400),
        ("get", {"query_params": {"query": "{ viewer { id } }", "variables": "5"}}, 400),
        ("get", {"query_params": {"query": "{ viewer { id } }", "variables": "{"}}, 400),
    ],
)
def test_transport_errors_are_json(method: str, given: dict[str, Any], status: int) -> None:
    answer = getattr(Client(raise_request_exception=False), method)("/graphql/", **given)
    assert answer.status_code == status
    assert answer["Content-Type"].startswith("application/json")
    assert answer.json()["errors"][0]["extensions"]["code"] == "INPUT_INVALID"
    if status == 405:
        assert answer["Allow"] == ("POST" if method == "get" else "GET, POST")


def persisted(document: str) -> dict[str, Any]:
    return {"persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(document.encode()).hexdigest()}}


def ask(api: Api, **body: Any) -> Any:
    return api.client.post("/graphql/", json.dumps(body), content_type=JSON, headers=api.headers)


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


def test_a_document_is_kept_once_it_was_answered(world: World) -> None:
    document = "{ viewer { kind } }"
    api = Api(world.admin)
    first = ask(api, extensions=persisted(document)).json()
    assert first["errors"][0]["message"] == "PersistedQueryNotFound"
    assert first["errors"][0]["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
    assert "data" in ask(api, query=document, extensions=persisted(document)).json()
    assert ask(api, extensions=persisted(document)).json()["data"]["viewer"]["kind"] == "PERSON"
    by_get = api.client.get("/graphql/", {"extensions": json.dumps(persisted(document))})
    assert by_get.json()["data"]["viewer"]["kind"] == "PERSON"


@pytest.mark.parametrize(
    ("who", "document", "sent"),
    [
        ("nobody", "{ viewer { kind } }", None),
        ("admin", "{ nope }", None),
        ("admin", "{ viewer { kind } }", "{ viewer { id } }"),
        ("admin", "{ viewer { kind } }" + " " * 20_001, None),
    ],
)
def test_what_is_not_kept(world: World, who: str, document: str, sent: str | None) -> None:
    api = Api(world.admin) if who == "admin" else Api()
    ask(api, query=sent or document, extensions=persisted(document))
    missing = ask(api, extensions=persisted(document)).json()
    assert missing["errors"][0]["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"


@pytest.mark.parametrize("persisted_query", [5, {}, {"sha256Hash": 5}, {"sha256Hash": "x"}, {"sha256Hash": "A" * 64}])
def test_a_hash_that_is_none(world: World, persisted_query: Any) -> None:
    answer = ask(Api(world.admin), extensions={"persistedQuery": persisted_query})
    assert answer.status_code == 400
    assert "sha256Hash" in answer.json()["errors"][0]["message"]
