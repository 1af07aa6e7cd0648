"""What is replaced of strawberry changes no byte of any answer: every document of the suite, with and without it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import strawberry
from django.db import transaction
from django.views.decorators.csrf import csrf_protect
from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    Node,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    VariableNode,
    Visitor,
    is_abstract_type,
    parse,
    visit,
)
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from portal.graphql import subgraph, view
from portal.graphql.queries import Query
from portal.graphql.scalars import SCALARS
from portal.graphql.schema import Mutation, extensions, schema
from portal.graphql.types.problems import Problem
from tenants.callers import EXCLUDES
from tenants.models import PartnerToken
from tests.builders import NOW
from tests.graphql.collected import collected
from tests.graphql.test_access import PARTNER, Scene, frozen, nothing_is_sent, scene
from tests.world import ACTING_SCOPES, PASSWORD, Api, forget_counts

__all__ = ["frozen", "nothing_is_sent", "scene"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen", "nothing_is_sent")]
SECRET = "a credential that is long enough for a gateway"


class Stock(strawberry.Schema):
    """strawberry as it comes, but for the log."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        pass


stock: Stock = Stock(
    query=Query, mutation=Mutation, types=[Problem], config=StrawberryConfig(scalar_map=SCALARS),
    extensions=extensions(lambda: stock),
)  # fmt: skip
stock_subgraph: Stock = Stock(
    query=subgraph.SubgraphQuery, mutation=Mutation, types=[Problem], config=subgraph.subgraph.config,
    extensions=extensions(lambda: stock_subgraph),
)  # fmt: skip

# Documents of which a part is put in only when they are sent, as they are then.
PUT_TOGETHER = {
    "mutation { 1 }": "mutation { "
    + " ".join(f'a{n}: signIn(input: {{name: "x", password: "x"}}) {{ __typename }}' for n in range(12))
    + " }",
    "{ viewer { ...f0 } } 1 fragment f1 on Viewer { a: id }": (
        "{ viewer { ...f0 } } fragment f0 on Viewer { ...f1 ...f1 } fragment f1 on Viewer { a: id }"
    ),
    "a: cancelSubscription(input: $a) { 1 } b: cancelSubscription(input: $b)": (
        "mutation($a: CancelSubscriptionInput!, $b: CancelSubscriptionInput!) { a: cancelSubscription(input: $a) {"
        " ... on Problem { code } } b: cancelSubscription(input: $b) { __typename } }"
    ),
    "subscription { id %s }": (
        "mutation ($input: CancelSubscriptionInput!) { cancelSubscription(input: $input) {"
        " ... on CancelSubscriptionSuccess { cancellation { status subscription { name cancellation { id } } } } } }"
    ),
}
# What the rest of the suite never asks for.
ALSO = (
    "query($id: ID!) { viewer { tenants { pageInfo { hasNextPage endCursor } } }"
    " cancellationOptions(subscriptionId: $id) { subscription { id name } } }"
)
# What a change makes by chance, or by a sequence that does not go back: secrets, references, ids of new rows.
BY_CHANCE = re.compile(rb'("(?:id|reference|receiptUrl|url|secret|accessToken|refreshToken)":)"[^"]*"')


def values(s: Scene) -> dict[str, Any]:
    """What a variable stands for, by the field and the argument in which it is."""
    cancel = {"subscriptionId": s.online, "quoteId": s.quote, "idempotencyKey": "x"}
    person = s.world.admin.username
    return {
        "subscription.id": s.online,
        "cancellationOptions.subscriptionId": s.online,
        "callbackWindows.subscriptionId": s.over,
        "callbackWindows.timeZone": "Europe/Sofia",
        "callbackWindows.days": 3,
        "callbackRequest.id": s.callback,
        "node.id": s.canceled,
        "subscriptionByExternalId.externalId": s.named("subscription"),
        "subscriptionByExternalId.tenantExternalId": s.named("tenant"),
        "tenantByExternalId.externalId": s.named("tenant"),
        "userByExternalId.externalId": s.named("user"),
        "userByExternalId.tenantExternalId": None,
        "__type.name": "Viewer",
        "subscriptions.first": 20,
        "subscriptions.after": None,
        "subscriptions.tenantId": f"ten_{s.world.tenant.pk}",
        "subscriptions.status": ["ACTIVE", "CANCELING", "DISABLED"],
        "subscriptions.search": "product",
        "events.first": 20,
        "events.after": None,
        "events.types": ["CANCELLATION_REQUESTED", "CALLBACK_REQUESTED"],
        "events.tenantId": f"ten_{s.world.tenant.pk}",
        "licenses.first": 4,
        "licenses.after": None,
        "licenses.search": "",
        "undoCancellation.cancellationId": s.canceled,
        "_entities.representations": [
            {"__typename": "ProductSubscription", "id": s.online},
            {"__typename": "Tenant", "id": f"ten_{s.world.tenant.pk}"},
            {"__typename": "Cancellation", "id": s.canceled},
            {"__typename": "CallbackRequest", "id": s.callback},
            {"__typename": "DirectoryUser", "id": s.user},
            {"__typename": "DirectoryUser", "id": "usr_0"},
            {"__typename": "Viewer", "id": "1"},
        ],
        "cancelSubscription.input": cancel,
        "undoCancellation.input": {"cancellationId": s.canceled},
        "submitCancellationFeedback.input": {"cancellationId": s.canceled, "feedback": "OTHER", "comment": "é"},
        "removeUsers.input": {"subscriptionId": s.online, "userIds": [s.user, "usr_0"]},
        "requestCallback.input": {"subscriptionId": s.over, "phone": "0888999999", "contactName": "Ada"},
        "rescheduleCallback.input": {"callbackId": s.callback},
        "withdrawCallback.input": {"callbackId": s.callback},
        "removalRequest.id": s.removal,
        "settleRemovals.input": {"removals": [s.settlement, {**s.settlement, "userExternalId": "u-0"}]},
        "markRefundPaid.input": {
            "refundId": s.refund,
            "paidAt": NOW.isoformat(),
            "reference": "SEPA-1",
            "idempotencyKey": "x",
        },
        "registerWebhook.input": {"url": "https://partner.example/hook"},
        "rotateWebhookSecret.input": {"webhookId": s.webhook},
        "replayWebhook.input": {"webhookId": s.webhook},
        "removeWebhook.input": {"webhookId": s.webhook},
        "testWebhook.input": {"webhookId": s.webhook},
        "createPortalSession.input": {
            "tenantId": f"ten_{s.world.tenant.pk}",
            "person": {"externalId": "7", "email": "ana@host.example", "displayName": "Ana"},
            "role": "VIEWER",
            "idempotencyKey": "x",
        },
        "endPortalSessions.input": {"personExternalId": "7"},
        "signIn.input": {"name": person, "password": PASSWORD, "kind": "TOKEN"},
        "refreshSession.input": {},
        "requestPasswordReset.input": {"email": s.world.admin.email},
        "resetPassword.input": {"key": "1-nonsense", "password": "another fine horse"},
        "changePassword.input": {"currentPassword": PASSWORD, "newPassword": "another fine horse"},
    }


class Caller:
    """Somebody who asks, each time as the first time: an answer may end the session."""

    def __init__(self, name: str, api: Api) -> None:
        self.name = name
        self._client, self._headers = api.client, {"Wayout-Gateway": SECRET} | api.headers
        self._cookies = deepcopy(api.client.cookies)

    def ask(self, path: str, document: str, variables: dict[str, Any]) -> bytes:
        self._client.cookies = deepcopy(self._cookies)
        body = json.dumps({"query": document, "variables": variables})
        answer = self._client.post(path, body, content_type="application/json", headers=self._headers)
        content = BY_CHANCE.sub(rb'\1"*"', answer.content) if "mutation" in document else answer.content
        return b"%d " % answer.status_code + content


def documents() -> dict[str, tuple[str, str]]:
    """Where each document is, and whether the API or the subgraph is asked. What is not known fails here."""
    roots = {name for of in (schema, subgraph.subgraph) for name in _roots(of._schema)}
    found, unread = collected(roots)
    for where, text in unread.items():
        [found[where]] = [
            whole for part, whole in PUT_TOGETHER.items() if part in " ".join(text.split())
        ] or pytest.fail(f"{where} sends a document that PUT_TOGETHER does not know: {text}")
    paths = {
        where: "/subgraph/" if "_entities" in text or "_service" in text else "/graphql/"
        for where, text in found.items()
    }
    return {text: (where, paths[where]) for where, text in found.items()}


def _roots(of: GraphQLSchema) -> Iterator[str]:
    for root in (of.query_type, of.mutation_type):
        yield from root.fields if root else ()


def variables_of(document: str, known: dict[str, Any]) -> dict[str, Any]:
    """What a document that was written for other rows is told of these."""
    parsed, found = parse(document), {}

    def walk(node: Any, field: str, argument: str) -> None:
        if isinstance(node, FieldNode):
            field = node.name.value
        if node.kind in ("argument", "object_field"):
            argument = node.name.value
        if isinstance(node, VariableNode):
            found[node.name.value] = known[f"{field}.{argument}"]
        for key in node.keys:
            below = getattr(node, key, None)
            for child in below if isinstance(below, tuple | list) else [below]:
                if isinstance(child, Node) and child.kind != "variable_definition":
                    walk(child, field, argument)

    walk(parsed, "", "")
    return found


@contextmanager
def without_what_is_replaced(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        given: dict[str, Any] = {"graphql_ide": None, "multipart_uploads_enabled": False}
        plain = view.ApiView.as_view(schema=stock, **given)
        patched.setattr(view, "_view", plain)
        patched.setattr(view, "_view_for_sessions", csrf_protect(plain))
        patched.setattr(subgraph, "_view", view.ApiView.as_view(schema=stock_subgraph, **given))
        yield


def undone(ask: Callable[[], bytes]) -> bytes:
    """The answer, everything being as before afterwards."""
    forget_counts()
    savepoint = transaction.savepoint()
    try:
        return ask()
    finally:
        transaction.savepoint_rollback(savepoint)


def callers(scene: Scene) -> list[Caller]:
    acting, bringing = scene.world.token(*ACTING_SCOPES), scene.world.token(*EXCLUDES)
    PartnerToken.objects.update(partner=PARTNER)
    scene.world.admin.set_password(PASSWORD)
    scene.world.admin.save()
    tokens = {"a partner": acting, "a host": bringing, "nobody": None}
    return [
        Caller("an admin", Api(scene.world.admin)),
        *(Caller(name, Api(token=text)) for name, text in tokens.items()),
    ]


@pytest.mark.long
def test_every_document_is_answered_as_by_strawberry(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.WAYOUT_GATEWAY_SECRET = SECRET
    scene.world.subscription(3, by_group=2, plan="TWICE")
    scene.world.subscription(2, plan="TWICE", is_trial=True)
    scene.world.subscription(1, channel="PARTNER", partner_name="Nova")
    scenes = [scene, replace(scene, online=scene.over), replace(scene, online="sub_0", canceled="can_0", callback="x")]
    asked = [(scenes[0], caller) for caller in callers(scene)]
    asked += [(other, asked[1][1]) for other in scenes[1:]]
    succeeded: set[str] = set()
    for document, (where, path) in documents().items():
        for of, caller in asked:
            try:
                given = variables_of(document, values(of))
            except KeyError as unknown:
                pytest.fail(f"{where} has a variable in {unknown}, which values() does not know")
            ask = lambda: caller.ask(path, document, given)  # noqa: B023, E731 (called here)
            ours = undone(ask)
            with without_what_is_replaced(monkeypatch):
                theirs = undone(ask)
            assert ours == theirs, f"{where}, asked by {caller.name}"
            succeeded.update(_succeeded(document, ours))
    assert set(_roots(subgraph.subgraph._schema)) - succeeded == NEVER_SUCCEED


# What needs a mail that was sent.
NEVER_SUCCEED = {"resetPassword"}


def _succeeded(document: str, answer: bytes) -> Iterator[str]:
    """The root fields that were answered with something else than a problem."""
    data = json.loads(answer.partition(b" ")[2]).get("data") or {}
    for definition in parse(document).definitions:
        if isinstance(definition, OperationDefinitionNode):
            for field in definition.selection_set.selections:
                if isinstance(field, FieldNode):
                    found = data.get(field.alias.value if field.alias else field.name.value)
                    if found and not (isinstance(found, dict) and "code" in found):
                        yield field.name.value


def test_every_field_is_asked_for_by_some_document() -> None:
    asked: set[tuple[str, str]] = set()
    for document in documents():
        for of in (schema._schema, subgraph.subgraph._schema):
            info = TypeInfo(of)
            visit(parse(document), TypeInfoVisitor(info, _Note(info, of, asked)))
    fields = {
        (kind.name, name)
        for kind in schema._schema.type_map.values()
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__")
        for name in kind.fields
    }
    assert fields - asked == set()


class _Note(Visitor):
    """Notes the fields that a document selects, of every type that may answer."""

    def __init__(self, info: TypeInfo, of: GraphQLSchema, asked: set[tuple[str, str]]) -> None:
        super().__init__()
        self._info, self._of, self._asked = info, of, asked

    def enter_field(self, node: FieldNode, *_: object) -> None:
        parent = self._info.get_parent_type()
        if parent:
            types = self._of.get_possible_types(parent) if is_abstract_type(parent) else [parent]
            self._asked.update((kind.name, node.name.value) for kind in types)
