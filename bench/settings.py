"""Settings of the benchmarks: as in production, with connections that can be pointed at another database."""

from __future__ import annotations

import os

os.environ.setdefault("WAYOUT_DEBUG", "1")

from portal.settings import *  # noqa: F403
from portal.settings import database

DEBUG = False
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WAYOUT_STAFF_SECOND_FACTOR = False
WAYOUT_CALLER_RATE = WAYOUT_TENANT_RATE = "100000000/minute"
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False
ALLOWED_HOSTS = ["testserver"]
LOGGING = {"version": 1, "disable_existing_loggers": True}
DATABASES = {"default": database(os.environ["WAYOUT_BENCH_URL"])}
if "pool" in DATABASES["default"].get("OPTIONS", {}):  # type: ignore[operator]
    del DATABASES["default"]["OPTIONS"]["pool"]  # type: ignore[attr-defined]
