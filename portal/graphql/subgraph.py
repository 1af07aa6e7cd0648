"""The same schema as a subgraph of Apollo Federation 2, for a gateway that shows its credential.

Entities are found by hand: explicit representations, one form of id, batched, with the authorization of the public
entry point. What is missing, foreign or malformed is null, with an error of its own.
"""

from __future__ import annotations

import functools
import hmac
from collections import defaultdict
from collections.abc import Mapping
from typing import Annotated, Any, NewType, TypeVar, cast

import strawberry
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from graphql import DirectiveNode, DocumentNode, ObjectTypeDefinitionNode, parse, print_ast, visit
from graphql.language import FieldDefinitionNode, Visitor
from strawberry.schema.config import StrawberryConfig

from common.errors import ChoiceInvalid, ExpectedError, NotFound, TooManyValues
from common.public_ids import Kind, split_id
from portal.graphql.access import QUERIES, SUBGRAPH
from portal.graphql.context import Info
from portal.graphql.fields import query, require_asking
from portal.graphql.nodes import MAX_IDS, find_nodes
from portal.graphql.queries import Query
from portal.graphql.scalars import SCALARS
from portal.graphql.schema import Mutation, Schema, extensions, schema
from portal.graphql.types.billing import Refund
from portal.graphql.types.callbacks import CallbackRequest
from portal.graphql.types.cancellations import Cancellation
from portal.graphql.types.licenses import DirectoryUser
from portal.graphql.types.problems import Problem
from portal.graphql.types.subscriptions import ProductSubscription
from portal.graphql.types.viewer import Tenant
from portal.graphql.view import ApiView

ENTITIES = {
    "ProductSubscription": Kind.SUBSCRIPTION,
    "Tenant": Kind.TENANT,
    "Cancellation": Kind.CANCELLATION,
    "Refund": Kind.REFUND,
    "CallbackRequest": Kind.CALLBACK,
    "DirectoryUser": Kind.USER,
}
# Types that every schema with relay's connections has.
SHAREABLE = ("PageInfo",)
_LINK = (
    'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9",'
    ' import: ["@key", "@shareable", "@listSize"])\n\n'
)

Definition = TypeVar("Definition", ObjectTypeDefinitionNode, FieldDefinitionNode)
Representation = NewType("Representation", object)
_Entity = Annotated[
    ProductSubscription | Tenant | Cancellation | Refund | CallbackRequest | DirectoryUser,
    strawberry.union("_Entity"),
]


@strawberry.type(name="_Service")
class Service:
    sdl: str


@strawberry.type(name="Query")
class SubgraphQuery(Query):
    @query(name="_service")
    def service(self, info: Info) -> Service:
        return Service(sdl=sdl())

    @query(name="_entities")
    def entities(self, info: Info, representations: list[Representation]) -> list[_Entity | None]:
        if len(representations) > MAX_IDS:
            raise TooManyValues("representations", limit=MAX_IDS)
        read = [_read(representation) for representation in representations]
        wanted: dict[Kind, set[int]] = defaultdict(set)
        for key in read:
            if not isinstance(key, ExpectedError):
                wanted[key[0]].add(key[1])
        found = {kind: _found(info, kind, numbers) for kind, numbers in wanted.items()}
        # An error in the list is the error of its place.
        return [key if isinstance(key, ExpectedError) else _entity(found[key[0]], key[1]) for key in read]  # type: ignore[misc]


def _read(representation: object) -> tuple[Kind, int] | ExpectedError:
    """Kind and number of a representation: its ``__typename`` and the ``id`` of that kind, nothing less."""
    if not isinstance(representation, dict):
        return ChoiceInvalid("representations")
    kind, identity = ENTITIES.get(str(representation.get("__typename"))), representation.get("id")
    if kind is None or not isinstance(identity, str):
        return ChoiceInvalid("representations")
    split = split_id(identity)
    return split if split and split[0] is kind else NotFound("representations")


def _found(info: Info, kind: Kind, numbers: set[int]) -> Mapping[int, Any] | ExpectedError:
    """What there is; or why none of this kind may be seen, which is no reason to keep the others back."""
    try:
        return find_nodes(info, kind, numbers)
    except ExpectedError as error:
        return error


def _entity(found: Mapping[int, Any] | ExpectedError, number: int) -> Any:
    if isinstance(found, ExpectedError):
        return found
    return found.get(number) or NotFound("representations")


@functools.cache
def sdl() -> str:
    """The public schema with the directives of the federation."""
    return _LINK + print_ast(visit(parse(schema.as_str()), _Decorate()))


class _Decorate(Visitor):
    def enter_object_type_definition(self, node: ObjectTypeDefinitionNode, *_: object) -> ObjectTypeDefinitionNode:
        if node.name.value in ENTITIES:
            return _with(node, '@key(fields: "id")')
        return _with(node, "@shareable") if node.name.value in SHAREABLE else node

    def enter_field_definition(self, node: FieldDefinitionNode, *_: object) -> FieldDefinitionNode:
        if any(argument.name.value == "first" for argument in node.arguments or ()):
            return _with(node, '@listSize(slicingArguments: ["first"], sizedFields: ["edges"])')
        return node


def _with(node: Definition, directive: str) -> Definition:
    """The definition with one more directive."""
    document: DocumentNode = parse(f"type X {directive} {{ x: Int }}")
    [made] = cast(ObjectTypeDefinitionNode, document.definitions[0]).directives or ()
    directives: tuple[DirectiveNode, ...] = (*(node.directives or ()), made)
    values = {key: getattr(node, key) for key in node.keys}
    return type(node)(**{**values, "directives": directives})


subgraph: Schema = Schema(
    query=SubgraphQuery,
    mutation=Mutation,
    types=[Problem],
    config=StrawberryConfig(
        scalar_map={**SCALARS, Representation: strawberry.scalar(name="_Any", parse_value=lambda value: value)}
    ),
    extensions=extensions(lambda: subgraph),
)
require_asking(subgraph._schema, QUERIES, SUBGRAPH)
_view = ApiView.as_view(schema=subgraph, graphql_ide=None, multipart_uploads_enabled=False)


@csrf_exempt
def serve_subgraph(request: HttpRequest) -> HttpResponseBase:
    """For the gateway alone: without its credential there is nothing here. A cookie that it passes on is no sign-in."""
    secret, shown = settings.WAYOUT_GATEWAY_SECRET, request.headers.get("Wayout-Gateway", "")
    if not secret or not hmac.compare_digest(secret.encode(), shown.encode()):
        raise Http404
    request.user = AnonymousUser()
    request.COOKIES.clear()
    return _view(request)
