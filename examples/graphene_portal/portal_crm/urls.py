"""The plain schema for everybody, the subgraph for the gateway."""

from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from graphene_django.views import GraphQLView

from portal_crm.schema import federated, plain

# Callers come with a token in a header, never with a cookie: there is nothing to forge.
urlpatterns = [
    path("graphql/", csrf_exempt(GraphQLView.as_view(schema=plain))),
    path("subgraph/", csrf_exempt(GraphQLView.as_view(schema=federated))),
]
