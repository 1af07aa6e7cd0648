"""Every address Wayout answers."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

from portal.graphql.view import graphql

urlpatterns = [
    path("graphql/", graphql, name="graphql"),
    path("receipts/<str:reference>/", graphql, name="receipt"),
    path("admin/", admin.site.urls),
]
