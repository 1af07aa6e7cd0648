"""Is the process alive, and is it ready to serve? For whatever watches it; tells nothing else."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable

from django.core.cache import cache
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from common.history import OlderDatabase
from common.store import circuit

logger = logging.getLogger("wayout.health")


@require_safe
def live(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "ok"})


@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """The database answers and is migrated, and the cache keeps what it is given; else 503 names what does not.

    Without Redis a process goes on by itself: that is said, and it stays ready.
    """
    checks = {"database": _database, "migrations": _migrations, "cache": _cache}
    found = {name: _holds(check) for name, check in checks.items()}
    ok = all(found.values())
    said = {name: "ok" if holds else "failed" for name, holds in found.items()}
    if found["cache"] and circuit.is_open:
        said["cache"] = "away"
    return JsonResponse({"status": "ok" if ok else "not ready", "checks": said}, status=200 if ok else 503)


def _holds(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except OlderDatabase as refused:
        # A server that is asked for nothing else, since it is not ready, says why.
        logger.error("%s", refused)
        return False
    except Exception:
        return False


def _database() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return bool(cursor.fetchone())


def _migrations() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def _cache() -> bool:
    word = uuid.uuid4().hex
    cache.set("ready", word, 5)
    return cache.get("ready") is not None
