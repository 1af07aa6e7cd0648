"""Every address Wayout answers."""

from __future__ import annotations

from django.contrib import admin
from django.shortcuts import redirect
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView

from connectors.sync.views import sync_run, sync_tenant
from portal.accounts.organization import come_back
from portal.graphql.subgraph import serve_subgraph
from portal.graphql.view import graphql
from portal.web.health import live, ready
from portal.web.hosted import enter, hosted
from portal.web.invitations import invitation
from portal.web.language import choose_language
from portal.web.metrics import metrics
from portal.web.pages import cancel, details, home, undo
from portal.web.receipts import receipt
from portal.web.sessions import sessions
from portal.web.webhooks import provider_webhook

urlpatterns = [
    path("", home, name="home"),
    path("subscriptions/<key:pk>/", details, name="details"),
    path("subscriptions/<key:pk>/cancel/", cancel, name="cancel"),
    path("cancellations/<key:pk>/undo/", undo, name="undo"),
    path("receipts/<str:reference>/", receipt, name="receipt"),
    path("portal/", hosted, name="hosted"),
    path("portal/enter/<str:code>/", enter, name="portal_enter"),
    path("portal/graphql/", graphql, name="hosted_graphql"),
    path("portal/receipts/<str:reference>/", receipt, name="hosted_receipt"),
    path("login/", RedirectView.as_view(pattern_name="account_login", query_string=True), name="login"),
    # Staff keep the addresses: the organization's sign-in finds people by them.
    path("accounts/email/", RedirectView.as_view(pattern_name="home")),
    path("accounts/sessions/", sessions, name="sessions"),
    path("accounts/invitations/<str:key>/", invitation, name="invitation"),
    path("accounts/", include("allauth.account.urls")),
    path("accounts/social/", include("allauth.socialaccount.urls")),
    path("accounts/oidc/organization/login/callback/", come_back),
    path("accounts/", include("allauth.socialaccount.providers.openid_connect.urls")),
    path("accounts/2fa/", include("allauth.mfa.urls")),
    path("language/", choose_language, name="language"),
    path("graphql/", graphql, name="graphql"),
    path("subgraph/", serve_subgraph, name="subgraph"),
    path("sync/tenants/<str:external_id>", sync_tenant, name="sync_tenant"),
    path("sync/runs/<uuid:run_id>", sync_run, name="sync_run"),
    path("webhooks/<slug:name>/", provider_webhook, name="provider_webhook"),
    path("healthz/live", live, name="live"),
    path("healthz/ready", ready, name="ready"),
    path("metrics", metrics, name="metrics"),
    path("favicon.ico", lambda _request: redirect(static("portal/icon.svg"))),
    path("admin/", admin.site.urls),
]
handler403 = "portal.web.refusals.forbidden"
handler500 = "portal.web.outages.server_error"
