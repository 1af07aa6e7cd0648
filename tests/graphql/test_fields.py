"""Every root field asks its entry of the access table before its body runs, and one without an entry does not start."""

from __future__ import annotations

from typing import Any

import pytest
import strawberry
from django.core.exceptions import ImproperlyConfigured

from portal.graphql import access, fields
from portal.graphql.access import Access, Who
from portal.graphql.schema import schema
from tenants.callers import Scope
from tests.graphql.documents import CANCEL, REMOVE, UNDO
from tests.graphql.test_accounts import CHANGE, FORGOT, REFRESH, RESET, SIGN_IN, SIGN_OUT
from tests.world import ACTING_SCOPES, Api, World


def test_a_field_without_an_entry_does_not_start() -> None:
    def newcomer(self: Any, info: Any) -> None: ...

    for decorate in (fields.query(), fields.mutation()):
        with pytest.raises(ImproperlyConfigured, match=r"newcomer has no entry in portal/graphql/access\.py"):
            decorate(newcomer)


def test_a_field_that_is_made_past_the_table_does_not_start() -> None:
    @strawberry.type
    class Query:
        @strawberry.field
        def newcomer(self) -> int:
            return 1

    with pytest.raises(ImproperlyConfigured, match=r"\['newcomer'\] ask nobody"):
        fields.require_asking(strawberry.Schema(Query)._schema)


def test_an_entry_without_a_field_does_not_start() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"\['gone'\] are in portal/graphql/access\.py"):
        fields.require_asking(schema._schema, {"gone": Access(Who.ANYBODY)})


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("document", "given", "scope"),
    [
        (CANCEL, {"subscriptionId": "sub_1", "quoteId": "x", "idempotencyKey": "x"}, "CANCEL"),
        (UNDO, {"cancellationId": "can_999999999"}, "CANCEL"),
        (REMOVE, {"subscriptionId": "nonsense", "userIds": []}, "REMOVE_USERS"),
    ],
)
def test_a_token_without_the_scope_does_not_learn_what_there_is(
    world: World, document: str, given: dict[str, Any], scope: str
) -> None:
    [found] = Api(token=world.token(Scope.READ))(document, input=given).values()
    assert found["code"] == "NOT_PERMITTED"
    assert scope in found["message"]


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["lic", "usr"])
def test_nodes_of_users_take_the_scope_for_names(world: World, kind: str) -> None:
    query = "query($id: ID!) { node(id: $id) { id } }"
    for scopes, codes in (((Scope.READ,), ["NOT_PERMITTED"]), ((Scope.READ, Scope.READ_USERS), [])):
        body = Api(token=world.token(*scopes)).raw(query, id=f"{kind}_1")
        assert [error["extensions"]["code"] for error in body.get("errors", [])] == codes


ACCOUNTS: dict[str, tuple[str, dict[str, Any]]] = {
    "signIn": (SIGN_IN, {"name": "x", "password": "x"}),
    "signOut": (SIGN_OUT, {}),
    "refreshSession": (REFRESH, {"refreshToken": "x"}),
    "requestPasswordReset": (FORGOT, {"email": "x@partner.example"}),
    "resetPassword": (RESET, {"key": "x", "password": "x"}),
    "changePassword": (CHANGE, {"currentPassword": "x", "newPassword": "x"}),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", access.ACCOUNTS)
@pytest.mark.parametrize("caller", ["nobody", "person", "partner"])
def test_accounts_let_in_whom_the_table_says(world: World, name: str, caller: str) -> None:
    refused = {
        ("signIn", "person"): "ALREADY_SIGNED_IN",
        ("changePassword", "nobody"): "NOT_AUTHENTICATED",
        ("changePassword", "partner"): "NOT_PERMITTED",
    }
    api = {"nobody": Api(), "person": Api(world.admin), "partner": Api(token=world.token(*ACTING_SCOPES))}[caller]
    document, given = ACCOUNTS[name]
    [found] = api(document, **({"input": given} if given else {})).values()
    code = found.get("code")
    assert code == refused.get((name, caller), code)
    assert (name, caller) in refused or code not in refused.values()
