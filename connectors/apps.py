"""The app of connectors."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ConnectorsConfig(AppConfig):
    """Where facts come from."""

    name = "connectors"
    verbose_name = _("Connectors")
