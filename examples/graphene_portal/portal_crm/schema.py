"""The portal's schema, twice: as it is, and as a subgraph in which a subscription knows its projects."""

import graphene
import graphql_jwt
from graphene_django import DjangoObjectType
from graphene_federation import LATEST_VERSION, build_schema, key
from graphql import GraphQLError

from portal_crm import models


def projects_of(info):
    """The projects of the caller's accounts; nobody signed in has none."""
    user = info.context.user
    if not user.is_authenticated:
        raise GraphQLError("Sign in first.", extensions={"code": "NOT_AUTHENTICATED"})
    return models.Project.objects.filter(account__people=user).order_by("pk")


class AccountType(DjangoObjectType):
    """A business."""

    class Meta:
        model = models.Account
        name = "PortalAccount"
        fields = ("domain",)


class Me(graphene.ObjectType):
    """Who is signed in at the portal."""

    class Meta:
        name = "PortalUser"

    username = graphene.NonNull(graphene.String)
    account = graphene.Field(AccountType)

    def resolve_account(self, info):
        """The account they work for."""
        return self.accounts.order_by("pk").first()


class ProjectFields(graphene.ObjectType):
    """What both schemas say of a project."""

    id = graphene.NonNull(graphene.ID)
    name = graphene.NonNull(graphene.String)
    subscription_id = graphene.NonNull(graphene.ID)


class BaseQuery(graphene.ObjectType):
    """What both schemas answer."""

    me = graphene.Field(Me)

    def resolve_me(self, info):
        """Nobody without a token."""
        return info.context.user if info.context.user.is_authenticated else None


class Mutation(graphene.ObjectType):
    """Signing in at the portal: django-graphql-jwt's own."""

    token_auth = graphql_jwt.ObtainJSONWebToken.Field()


class PlainProject(ProjectFields):
    """A project that names its subscription."""

    class Meta:
        name = "Project"


class PlainQuery(BaseQuery):
    """Projects name their subscriptions; the client asks for those beside them."""

    class Meta:
        name = "Query"

    projects = graphene.NonNull(graphene.List(graphene.NonNull(PlainProject)))

    def resolve_projects(self, info):
        """Of the caller's accounts."""
        return projects_of(info)


plain = graphene.Schema(query=PlainQuery, mutation=Mutation)


@key("id")
class ProductSubscription(graphene.ObjectType):
    """Wayout's, with what the portal knows of it."""

    id = graphene.NonNull(graphene.ID)
    used_by = graphene.NonNull(graphene.List(graphene.NonNull(lambda: Project)))

    def resolve_used_by(self, info):
        """The caller's own projects alone, whatever id the gateway brings."""
        return projects_of(info).filter(subscription_id=self.id)

    def __resolve_reference(self, info, **_):
        """The gateway knows the id; nothing else is needed."""
        return ProductSubscription(id=self.id)


class Project(ProjectFields):
    """A project with its subscription, which Wayout fills in."""

    subscription = graphene.NonNull(ProductSubscription)

    def resolve_subscription(self, info):
        """Its id is enough."""
        return ProductSubscription(id=self.subscription_id)


class FederatedQuery(BaseQuery):
    """The same, with subscriptions as entities."""

    class Meta:
        name = "Query"

    projects = graphene.NonNull(graphene.List(graphene.NonNull(Project)))

    def resolve_projects(self, info):
        """Of the caller's accounts."""
        return projects_of(info)


federated = build_schema(query=FederatedQuery, mutation=Mutation, federation_version=LATEST_VERSION)
