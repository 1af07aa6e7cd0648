"""Limits: what asks for too much is refused by name, and measuring it costs no more than reading it."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from graphql import get_introspection_query, is_interface_type, is_object_type, parse
from hypothesis import given
from hypothesis import strategies as st

from outbox.models import Task
from portal.graphql import context
from portal.graphql.limits import LimitExceeded, Measure
from portal.graphql.schema import schema
from portal.graphql.timeouts import RequestTimeout, deadline
from subscriptions.cancellations import service as cancellations
from subscriptions.models import Cancellation
from tenants.callers import Scope
from tenants.models import PartnerToken
from tests.graphql.documents import CANCEL, LIST
from tests.kills.test_faults import cancel_input
from tests.world import ACTING_SCOPES, Api, World

INTROSPECTION = "{ __schema { types { fields { type { " + "ofType { " * 30 + "name" + " }" * 30 + " } } } } }"


def fragments_that_double(times: int) -> str:
    spread = "".join(f"fragment f{n} on Viewer {{ ...f{n + 1} ...f{n + 1} }}" for n in range(times))
    return f"{{ viewer {{ ...f0 }} }} {spread} fragment f{times} on Viewer {{ a: id }}"


def complete_graph(size: int) -> str:
    periodic = "".join(
        f"fragment f{n} on Viewer {{ id {' '.join(f'...f{m}' for m in range(size) if m != n)} }}" for n in range(size)
    )
    return f"{{ viewer {{ ...f0 }} }} {periodic}"


TOO_MUCH = {
    "aliases": "{ viewer { " + " ".join(f"a{n}: id" for n in range(60)) + " } }",
    "aliases that fragments double 60 times": fragments_that_double(60),
    "depth": "{ a" * 25 + " }" * 25,
    "introspection depth": INTROSPECTION,
    "root fields": "{" + " viewer { id }" * 40 + "}",
    "duplicate fields": "{ viewer {" + " id" * 150 + " } }",
    "directives": "{ viewer { id" + " @skip(if: false)" * 60 + " } }",
    "nested fan-out": "{ subscriptions(first: 100) { edges { node { licenses(first: 100) { edges { node { id sources removable"
    " } } } } } } }",
    "tokens": "{ viewer { id" + " id" * 1100 + " } }",
    "deep selection within the tokens": "{ a " * 480 + "}" * 480,
}
NOT_TOO_MUCH = {
    "a list with everything": LIST.split("{", 1)[0] + "{" + LIST.split("{", 1)[1],
    "a page of users": "{ subscriptions(first: 20) { edges { node { licenses(first: 20) { edges { node { user { id"
    " displayName } } } } } } } }",
}


@pytest.mark.django_db
@pytest.mark.parametrize("document", TOO_MUCH.values(), ids=TOO_MUCH.keys())
@pytest.mark.parametrize("signed_in", [True, False])
def test_too_much_is_refused_with_a_code(world: World, document: str, signed_in: bool) -> None:
    api = Api(world.admin) if signed_in else Api()
    body = api.raw(document)
    assert body.get("data") is None
    [error] = body["errors"]
    assert error["extensions"]["code"] == "INPUT_INVALID"
    assert "limit" in error["extensions"] or any(word in error["message"] for word in ("tokens", "nested too deeply"))


@pytest.mark.parametrize(
    ("document", "limit"),
    [
        (TOO_MUCH["aliases"], "aliases"),
        (TOO_MUCH["aliases that fragments double 60 times"], "depth"),
        (TOO_MUCH["depth"], "depth"),
        (TOO_MUCH["root fields"], "rootFields"),
        (TOO_MUCH["duplicate fields"], "fieldsPerSelection"),
        (TOO_MUCH["directives"], "directives"),
        (TOO_MUCH["nested fan-out"], "cost"),
        (fragments_that_double(15), "aliases"),
    ],
)
def test_the_limit_is_named(document: str, limit: str) -> None:
    if limit == "depth" and "..." in document:
        limit = "aliases"
    with pytest.raises(LimitExceeded) as refused:
        Measure(parse(document), {}, schema._schema).check(settings.GRAPHQL_LIMITS)
    assert refused.value.extensions
    assert refused.value.extensions["limit"] == limit
    assert str(settings.GRAPHQL_LIMITS[limit]) in refused.value.message.replace(",", "")


@pytest.mark.parametrize("document", NOT_TOO_MUCH.values(), ids=NOT_TOO_MUCH.keys())
def test_what_clients_really_ask_is_within_the_limits(document: str) -> None:
    Measure(parse(document), {"first": 100}, schema._schema).check(settings.GRAPHQL_LIMITS)


TYPES = schema._schema.type_map.values()
FIELDS = sum(len(of.fields) for of in TYPES if is_object_type(of) or is_interface_type(of))
LARGEST = max(len(of.fields) for of in TYPES if is_object_type(of) or is_interface_type(of))
VIEWER = len(schema._schema.type_map["Viewer"].fields)  # type: ignore[attr-defined]
REMOVE = "mutation($input: RemoveUsersInput!) { removeUsers(input: $input) { __typename } }"


@pytest.mark.parametrize(
    ("document", "variables", "cost"),
    [
        ("{ viewer { id } }", {}, 2),
        ("{ subscriptions { totalCount } }", {}, 21),
        ("{ subscriptions(first: 3) { totalCount } }", {}, 4),
        ("query($n: Int!) { subscriptions(first: $n) { totalCount } }", {"n": 7}, 8),
        ("query($n: Int!) { subscriptions(first: $n) { totalCount } }", {}, 101),
        ("query($n: Int!) { subscriptions(first: $n) { totalCount } }", {"n": "x"}, 101),
        ("{ subscriptions(first: 99999999999999999999) { totalCount } }", {}, 101),
        ("{ viewer { ...f ...f } } fragment f on Viewer { id }", {}, 3),
        # Values of lists, written out and in variables, also inside objects.
        ("{ subscriptions(first: 1, status: [ACTIVE, EXPIRED]) { totalCount } }", {}, 6),
        (
            "query($s: [SubscriptionStatus!]) { subscriptions(first: 1, status: $s) { totalCount } }",
            {"s": ["ACTIVE"] * 9},
            20,
        ),
        (REMOVE, {"input": {"subscriptionId": "sub_1", "userIds": ["usr_1"] * 5_000}}, 10_002),
        ('{ callbackWindows(subscriptionId: "sub_1", timeZone: "UTC") { id } }', {}, 2_001),
        ('mutation { signIn(input: {name: "a", password: "b"}) { __typename } }', {}, 15_001),
        # The schema's own: of it, of one type (as if of the largest, where a variable names it), of what each of its types has.
        ("{ __schema { queryType { name } } }", {}, 3),
        ("{ __schema { types { name } } }", {}, 2 + len(TYPES)),
        ("{ __schema { ...s } } fragment s on __Schema { types { name } }", {}, 2 + len(TYPES)),
        ("{ __schema { types { fields { name } } } }", {}, 2 + len(TYPES) + FIELDS),
        ("query($n: String!) { __type(name: $n) { fields { name } } }", {"n": "Viewer"}, 2 + LARGEST),
        ('{ __type(name: "Viewer") { fields { name } } }', {}, 2 + VIEWER),
        ('{ __type(name: "No such type") { fields { name } } }', {}, 3),
        ("{ __schema { types { ofType { name } nothing { name } } } }", {}, 2 + 2 * len(TYPES)),
    ],
)
def test_cost(document: str, variables: dict[str, Any], cost: int) -> None:
    Measure(parse(document), variables, schema._schema).check({**settings.GRAPHQL_LIMITS, "cost": cost})
    with pytest.raises(LimitExceeded):
        Measure(parse(document), variables, schema._schema).check({**settings.GRAPHQL_LIMITS, "cost": cost - 1})


def of_many(times: int, below: str) -> str:
    return "{" + " ".join(f"a{number}: __schema {{ types {{ {below} }} }}" for number in range(times)) + "}"


@pytest.mark.parametrize(
    "below",
    [
        "fields(includeDeprecated: true) { type { ofType { fields { name } } fields { name } } }",
        "fields { name args { name description } } possibleTypes { name fields { name description } } enumValues { name }",
        "...t } } } fragment t on __Type { fields { ...f } } fragment f on __Field { type { fields { name args { name",
    ],
)
def test_questions_about_the_schema_are_as_dear_as_what_they_answer(below: str) -> None:
    within = of_many(1, below) if "fragment" not in below else "{ __schema { types { " + below + "} } } }"
    Measure(parse(within), {}, schema._schema).check(settings.GRAPHQL_LIMITS)
    if "fragment" not in below:
        with pytest.raises(LimitExceeded, match="cost"):
            Measure(parse(of_many(20, below)), {}, schema._schema).check({**settings.GRAPHQL_LIMITS, "aliases": 100})


def test_the_introspection_that_tools_send_is_within_the_limits() -> None:
    document = parse(get_introspection_query(input_value_deprecation=True, schema_description=True))
    Measure(document, {}, schema._schema).check(settings.GRAPHQL_LIMITS)


@pytest.mark.django_db
def test_who_is_not_signed_in_gets_a_megabyte_at_most(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    document = of_many(1, "name description fields { name description }")
    assert "errors" not in Api().post(document).json()
    monkeypatch.setitem(settings.GRAPHQL_LIMITS, "bytesSignedOut", 20_000)
    [error] = Api().post(document).json()["errors"]
    assert (error["extensions"]["code"], "bytesSignedOut" in error["message"]) == ("INPUT_INVALID", True)
    assert "errors" not in Api(world.admin).raw(document)


@pytest.mark.django_db
def test_work_without_a_statement_is_stopped_too(settings: Any) -> None:
    settings.REQUEST_TIMEOUT = 0.02
    document = of_many(8, "name description fields { name description args { name } }")
    began = time.monotonic()
    errors = Api().post(document).json()["errors"]
    assert {error["extensions"]["code"] for error in errors} == {"TIMEOUT"}
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("document", [fragments_that_double(150), complete_graph(20)], ids=["doubling", "complete"])
def test_measuring_looks_at_every_selection_once(document: str) -> None:
    measure = Measure(parse(document), {}, schema._schema)
    with contextlib.suppress(LimitExceeded):
        measure.check(settings.GRAPHQL_LIMITS)
    assert measure.visits <= document.count("...") + document.count("id") + document.count("viewer")


@given(st.integers(1, 30), st.integers(1, 6))
def test_visits_grow_with_the_document_and_not_with_what_it_writes_out(fragments: int, spreads: int) -> None:
    document = "{ viewer { ...f0 } } " + "".join(
        f"fragment f{n} on Viewer {{ {f'...f{n + 1} ' * spreads if n < fragments else 'id'} }}"
        for n in range(fragments + 1)
    )
    measure = Measure(parse(document), {}, schema._schema)
    measure.check(dict.fromkeys(settings.GRAPHQL_LIMITS, 10**40))
    assert measure.visits == 2 + fragments * spreads + 1


@pytest.mark.django_db
def test_a_fragment_cycle_is_an_answer(world: World) -> None:
    document = "{ viewer { ...a } } fragment a on Viewer { ...b } fragment b on Viewer { ...a }"
    errors = Api(world.admin).raw(document)["errors"]
    assert {error["extensions"]["code"] for error in errors} == {"INPUT_INVALID"}


@pytest.mark.django_db
def test_a_long_list_in_an_argument(world: World) -> None:
    [error] = Api(world.admin).raw(LIST, status=["ACTIVE"] * 5_000)["errors"]
    assert error["extensions"] == {"code": "INPUT_INVALID", "path": ["status"]}


@pytest.mark.django_db
def test_a_request_that_takes_too_long_is_stopped_before_its_next_statement(
    world: World, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REQUEST_TIMEOUT = -1
    answer = Api(token=world.token(*ACTING_SCOPES)).post("{ viewer { id } }")
    assert answer.status_code == 503
    assert answer.json()["errors"][0]["extensions"]["code"] == "TIMEOUT"


@pytest.mark.django_db(transaction=True)
def test_a_statement_that_does_not_end_is_stopped() -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    started = time.monotonic()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET statement_timeout = '300ms'")
        with pytest.raises(RequestTimeout), deadline(0.3):
            cursor.execute(endless)
    assert time.monotonic() - started < 20
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("RESET statement_timeout")
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


@pytest.mark.django_db(transaction=True)
def test_what_was_committed_is_answered_as_done_however_late_it_is(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REQUEST_TIMEOUT, settings.WAYOUT_BROKER_URL = 0.7, "redis://127.0.0.1:1/0"
    monkeypatch.setattr("outbox.queue.notify_workers", lambda: time.sleep(0.2))  # after the commit, five times
    world = World.build()
    api = Api(world.admin)
    inputs = [cancel_input(api, world.subscription().pk) for _ in range(2)]
    success = "... on CancelSubscriptionSuccess { cancellation { reference subscription { status } } }"
    document = f"""mutation($a: CancelSubscriptionInput!, $b: CancelSubscriptionInput!) {{
        a: cancelSubscription(input: $a) {{ {success} }} b: cancelSubscription(input: $b) {{ {success} }} }}"""
    began = time.monotonic()
    data = api(document, a=inputs[0], b=inputs[1])
    assert time.monotonic() - began > settings.REQUEST_TIMEOUT
    references = {data[alias]["cancellation"]["reference"] for alias in "ab"}
    assert set(Cancellation.objects.values_list("reference", flat=True)) == references


@pytest.mark.django_db(transaction=True)
def test_what_was_stopped_before_its_commit_changed_nothing(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World.build()
    api = Api(world.admin)
    given = cancel_input(api, world.subscription().pk)
    settings.REQUEST_TIMEOUT = 0.5
    ask = cancellations.queue_mail
    monkeypatch.setattr(cancellations, "queue_mail", lambda *args: (time.sleep(0.6), ask(*args)))
    [error] = api.post(CANCEL, input=given).json()["errors"]
    assert error["extensions"]["code"] == "TIMEOUT"
    assert not Cancellation.objects.exists()
    assert not Task.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_read_is_stopped_though_it_wrote_down_when_its_token_was_used(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REQUEST_TIMEOUT = 0.3
    count = context.hit_rate_limit
    monkeypatch.setattr(context, "hit_rate_limit", lambda *who: (time.sleep(0.4), count(*who))[1])
    answer = Api(token=World.build().token(Scope.READ)).post(LIST)
    assert PartnerToken.objects.get().last_used_at
    assert answer.json()["errors"][0]["extensions"]["code"] == "TIMEOUT"
