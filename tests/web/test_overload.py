"""What a process cannot do at once is refused with a code, in both languages, and it recovers by itself."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from portal.web import overload
from portal.web.overload import OverloadMiddleware


class Busy:
    """Answers once it is told to."""

    def __init__(self) -> None:
        self.go, self.inside = threading.Event(), threading.Semaphore(0)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        self.inside.release()
        self.go.wait(10)
        return HttpResponse("done")


@pytest.fixture
def busy(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    settings.WAYOUT_MAX_CONCURRENCY = 2
    monkeypatch.setattr(overload, "_TIMEOUT", 0.05)
    overload._turns.cache_clear()
    view = Busy()
    middleware = OverloadMiddleware(view)
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(middleware(RequestFactory().get("/graphql/")))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
        assert view.inside.acquire(timeout=5)
    yield middleware, view
    view.go.set()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [200, 200]
    # Everybody has left: the next one comes in at once.
    assert middleware(RequestFactory().get("/graphql/")).status_code == 200
    assert overload.has_a_turn()
    overload._turns.cache_clear()


@pytest.mark.parametrize(("language", "sentence"), [("en", "Nothing was changed"), ("bg", "Нищо не е променено")])
def test_the_api_says_it_with_a_code(busy: Any, language: str, sentence: str) -> None:
    middleware, _ = busy
    assert not overload.has_a_turn()
    answer = middleware(RequestFactory().post("/graphql/", headers={"Wayout-Locale": language}))
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    [error] = json.loads(answer.content)["errors"]
    assert error["extensions"]["code"] == "OVERLOADED"
    assert sentence in error["message"]


def test_a_page_says_it_in_words_and_health_is_always_answered(busy: Any) -> None:
    middleware, view = busy
    page = middleware(RequestFactory().get("/"))
    assert (page.status_code, page["Content-Type"]) == (503, "text/plain; charset=utf-8")
    view.go.set()
    assert middleware(RequestFactory().get("/healthz/live")).status_code == 200
