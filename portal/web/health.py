"""Is the process alive, and is it ready to serve? For whatever watches it; tells nothing else."""

from __future__ import annotations

import logging
import shutil
import uuid
from collections.abc import Callable

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from common.history import OlderDatabase, is_current
from common.store import circuit
from portal.web.overload import has_a_turn

logger = logging.getLogger("wayout.health")
# Bytes. A process that writes its last ones loses what it was told.
_LEAST_FREE = 50_000_000


@require_safe
def live(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "ok"})


@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """Whether a request would be answered: 503 names what is missing.

    The database answers and is migrated, the cache keeps what it is given, a turn is free, the disk is not full and the
    pages have their files. Without Redis a process goes on by itself: that is said, and it stays ready.
    """
    checks = {
        "database": _database, "migrations": is_current, "cache": _cache, "turns": has_a_turn, "disk": _disk,
        "static": _static,
    }  # fmt: skip
    found: dict[str, bool] = {}
    for name, check in checks.items():
        # Whoever watches is told in two seconds: a database that is away is waited for once.
        found[name] = (name != "migrations" or found["database"]) and _holds(check)
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


def _disk() -> bool:
    """Whether there is space to write: the embedded database, and mail that is kept as files."""
    return shutil.disk_usage(settings.VAR_DIR).free > _LEAST_FREE


def _static() -> bool:
    """Whether collectstatic has run; in debug the files are served from where they are."""
    return settings.DEBUG or not hasattr(staticfiles_storage, "hashed_files") or bool(staticfiles_storage.hashed_files)


def _cache() -> bool:
    word = uuid.uuid4().hex
    cache.set("ready", word, 5)
    return cache.get("ready") is not None
