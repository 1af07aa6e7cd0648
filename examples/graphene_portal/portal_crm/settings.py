"""Settings of the portal. It knows nothing of Wayout: the gateway joins them."""

import os
from datetime import timedelta
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
DEBUG = True
SECRET_KEY = "only-for-trying-the-example-out-and-never-for-more"
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
ROOT_URLCONF = "portal_crm.urls"
INSTALLED_APPS = ["portal_crm", "django.contrib.auth", "django.contrib.contenttypes", "graphene_django"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("PORTAL_DATABASE", BASE_DIR / "portal.sqlite3"),
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTHENTICATION_BACKENDS = ["graphql_jwt.backends.JSONWebTokenBackend", "django.contrib.auth.backends.ModelBackend"]
USE_TZ = True
GRAPHENE = {"MIDDLEWARE": ["graphql_jwt.middleware.JSONWebTokenMiddleware"]}
# The prefix stays django-graphql-jwt's own, so that no token of Wayout is taken for one of the portal. See the README.
GRAPHQL_JWT = {
    "JWT_AUTH_HEADER_PREFIX": "JWT",
    "JWT_VERIFY_EXPIRATION": True,
    "JWT_EXPIRATION_DELTA": timedelta(minutes=15),
}
