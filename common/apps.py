"""The app that all others stand on."""

from __future__ import annotations

from django.apps import AppConfig


class CommonConfig(AppConfig):
    """Templates of the admin's base classes; no models."""

    name = "common"
