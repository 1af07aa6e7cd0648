"""Settings of the tests: the database is WAYOUT_TEST_DB (sqlite, in a file, or postgres), named after this clone."""

from __future__ import annotations

import hashlib
import os

os.environ.setdefault("WAYOUT_DEBUG", "1")

from portal.settings import *  # noqa: F403
from portal.settings import BASE_DIR, STATIC_ROOT, VAR_DIR, database

DEBUG = False
# Looked up in every folder by each new client, which no test needs: pages of tests are not styled.
WHITENOISE_USE_FINDERS = False
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# Row ids repeat from test to test; what counts requests does not forget in between.
WAYOUT_STAFF_SECOND_FACTOR = False
# Most tests look at money that moves by itself; what is owed waits for somebody (tests/billing/test_owed.py).
WAYOUT_PROVIDER, WAYOUT_LEDGER_INVOICED_BY = "ledger", "the tests"
WAYOUT_RECONCILE_RATE = 1_000_000
WAYOUT_CALLER_RATE = WAYOUT_TENANT_RATE = "1000000/minute"
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]

_CLONE = hashlib.sha256(str(BASE_DIR).encode()).hexdigest()[:10]
if os.environ.get("WAYOUT_TEST_DB", "sqlite") == "postgres":
    _server = os.environ.get("WAYOUT_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
    DATABASES = {"default": {**database(_server), "TEST": {"NAME": f"wayout_test_{_CLONE}"}}}
    # What is served lets no more in at once than there are connections; races of a hundred threads wait for each other.
    DATABASES["default"]["OPTIONS"]["pool"]["timeout"] = 60  # type: ignore[index]
else:
    _file = VAR_DIR / "test.sqlite3"
    DATABASES = {"default": {**database(f"sqlite:///{_file}"), "TEST": {"NAME": str(_file)}}}
