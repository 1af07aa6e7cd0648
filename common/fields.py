"""Columns computed from other columns whenever a row is written, in bulk or alone."""

from __future__ import annotations

from typing import Any

from django.db import models

from common.search import search_key


class SearchKeyField(models.TextField):  # type: ignore[type-arg]
    """Holds search_key() of the attributes named in ``of``. Written by save and bulk_create, not by update."""

    def __init__(self, *, of: tuple[str, ...] = (), **kwargs: Any) -> None:
        self.of = of
        super().__init__(**{"editable": False, **kwargs})

    def deconstruct(self) -> Any:
        """Name the sources in migrations."""
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "of": self.of}

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        key = search_key(*(getattr(model_instance, name) for name in self.of))
        setattr(model_instance, self.attname, key)
        return key
