"""Settings. Everything a deployment changes comes from the environment: portal/environment.py has the list."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from common.languages import DEFAULT_LANGUAGE, language_choices
from portal import environment as env
from portal.logs import configure_logging

BASE_DIR = Path(__file__).resolve().parent.parent

_FILE, _SAID = BASE_DIR / ".env", "WAYOUT_DEBUG" in os.environ
env.read_file(_FILE)
VAR_DIR = env.folder("WAYOUT_VAR", BASE_DIR / "var")

DEBUG = env.flag("WAYOUT_DEBUG", default=False)
# make run writes it into that file, so that commands find the demo. Whatever else is in this folder is not the demo.
DEMO_BY_FILE = DEBUG and not _SAID
_ALSO = [name for name in ("DATABASE_URL", "WAYOUT_HOSTS", "WAYOUT_SECRET_KEY") if env.text(name, "")]
if DEMO_BY_FILE and _ALSO:
    raise ImproperlyConfigured(
        f"{_FILE} says WAYOUT_DEBUG=1, which make run writes there for the demo, and {', '.join(_ALSO)} is set, there or "
        "in the environment, as for production. Remove that line from the file, or set WAYOUT_DEBUG in the environment, "
        "where it is meant."
    )
SECRET_KEY = env.text("WAYOUT_SECRET_KEY", "only-for-development-and-the-demo" if DEBUG else "")
_SHORTEST_KEY = 1 if DEBUG else 50
if len(SECRET_KEY) < _SHORTEST_KEY:
    raise ImproperlyConfigured(
        "Set WAYOUT_SECRET_KEY to a random text of 50 characters or more (or WAYOUT_DEBUG=1 to try Wayout out)."
    )
# Older ones: what they signed counts on; and those that find digests made with them, and nothing more (common/keys.py).
SECRET_KEY_FALLBACKS: list[str] = env.listed("WAYOUT_SECRET_KEY_FALLBACKS", least=_SHORTEST_KEY)
WAYOUT_DIGEST_KEYS: list[str] = env.listed("WAYOUT_DIGEST_KEYS", least=_SHORTEST_KEY)
WAYOUT_AUDIT_ANCHORS = env.text(
    "WAYOUT_AUDIT_ANCHORS", holds=lambda said: os.access(Path(said).parent, os.W_OK) and not Path(said).is_dir()
)
WAYOUT_HOSTS: list[str] = env.listed("WAYOUT_HOSTS", ["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
ALLOWED_HOSTS = [re.sub(r":\d+$", "", host) for host in WAYOUT_HOSTS]
WAYOUT_ENVIRONMENT = env.text("WAYOUT_ENVIRONMENT", "test" if DEBUG else "live")
if not re.fullmatch("[a-z]+", WAYOUT_ENVIRONMENT):
    raise env.refusal("WAYOUT_ENVIRONMENT")

WAYOUT_REDIS_URL = env.address("WAYOUT_REDIS_URL", "redis", "rediss", "unix")
WAYOUT_PROXIES = env.whole("WAYOUT_PROXIES", 0)
# Who moves the money of new refunds. Older refunds stay with the provider they were promised by. What each of them
# needs it declares itself (billing.providers), and is read from the environment under that name.
WAYOUT_PROVIDER = env.text("WAYOUT_PROVIDER", "owed")
WAYOUT_PROVIDERS: list[str] = env.text("WAYOUT_PROVIDERS").replace(",", " ").split()
WAYOUT_RECONCILE_RATE = env.number("WAYOUT_RECONCILE_RATE", 10, limit=100)
WAYOUT_WEBHOOK_PRIVATE = env.flag("WAYOUT_WEBHOOK_PRIVATE", default=DEBUG)
WAYOUT_WEBHOOK_TIMEOUT = env.number("WAYOUT_WEBHOOK_TIMEOUT", 10)
WAYOUT_GATEWAY_SECRET = env.text("WAYOUT_GATEWAY_SECRET", holds=lambda said: len(said) >= 32)
WAYOUT_BROKER_URL = env.address("WAYOUT_BROKER_URL", "redis", "rediss", "sentinel", "amqp", "amqps", "pyamqp", "memory")
WAYOUT_QUEUE = env.text("WAYOUT_QUEUE", "wayout")
WAYOUT_METRICS_TOKEN = env.text("WAYOUT_METRICS_TOKEN")
WAYOUT_MAX_CONCURRENCY = env.whole("WAYOUT_MAX_CONCURRENCY", 8, least=1)
WAYOUT_CALLER_RATE = env.rate("WAYOUT_CALLER_RATE", "600/minute")
WAYOUT_TENANT_RATE = env.rate("WAYOUT_TENANT_RATE", "300/minute")

INSTALLED_APPS = [
    "portal",
    "connectors",
    "desk",
    "subscriptions",
    "billing",
    "webhooks",
    "outbox",
    "tenants",
    "common",
    "portal.web.admin_config.StaffAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.headless",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "corsheaders",
    "csp",
    "django_prometheus",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "portal.web.edge.EdgeMiddleware",
    "portal.web.headers.HeadersMiddleware",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "portal.web.requests.RequestMiddleware",
    # Before what refuses: a portal on another origin reads a refusal only with these headers.
    "corsheaders.middleware.CorsMiddleware",
    "portal.web.overload.OverloadMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "portal.web.bodies.BodyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "portal.web.private.PrivateMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "portal.accounts.renewed.RenewedSessionsMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "portal.accounts.attempts.AttemptsMiddleware",
    "portal.accounts.sessions.SessionsMiddleware",
    "portal.web.language.LanguageMiddleware",
    "portal.web.characters.CharactersMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]


_STATEMENT_TIMEOUT = env.whole("WAYOUT_STATEMENT_TIMEOUT", 0)


def database(url: str) -> dict[str, object]:
    """The connection settings for a database URL, with what Wayout needs of each engine.

    SQLite: WAL, writers wait for each other instead of failing. PostgreSQL: a pool of at most 10 connections a
    process, so that many threads do not run into max_connections.
    """
    config: dict[str, object] = dict(dj_database_url.parse(url))
    if config["ENGINE"] == "django.db.backends.sqlite3":
        config["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        }
    else:
        config["CONN_MAX_AGE"] = 0
        # What the address says after its question mark, such as sslmode=require, counts.
        said: Any = config.get("OPTIONS") or {}
        config["OPTIONS"] = {
            **said,
            # Whoever waits for a database that is away holds a turn, and ready answers in two seconds.
            # One that was away is looked for again soon, however long that was.
            "pool": {"min_size": 1, "max_size": 10, "timeout": 1.5, "reconnect_timeout": 5},
            "connect_timeout": 2,
            "options": f"-c statement_timeout={_STATEMENT_TIMEOUT}s",
        }
    return config


# The demo has a database of its own: its logins do not exist where debug is off.
DEMO_DATABASE = VAR_DIR / "demo.sqlite3"
_EMBEDDED = DEMO_DATABASE if DEBUG else VAR_DIR / "wayout.sqlite3"
DATABASES = {"default": database(env.database_url(_EMBEDDED))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "tenants.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "portal.accounts.adapter.SignInBackend",
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_ADAPTER = "portal.accounts.adapter.AccountAdapter"
# Failures are counted by portal.accounts.attempts.
ACCOUNT_RATE_LIMITS = {"login_failed": None}
_FORMS = "portal.accounts.adapter"
MFA_FORMS = {
    "authenticate": f"{_FORMS}.CodeForm",
    "reauthenticate": f"{_FORMS}.CodeAgainForm",
    "activate_totp": f"{_FORMS}.FirstCodeForm",
}
_PASSWORDS = "portal.accounts.passwords"
ACCOUNT_FORMS = {
    "reset_password": f"{_PASSWORDS}.ResetForm",
    "reset_password_from_key": f"{_PASSWORDS}.NewPasswordForm",
}
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
# The same answer whether there is such an account or not.
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
MFA_TOTP_ISSUER = "Wayout"
# How long somebody may rest, and how long they stay signed in at the most, in seconds. That a session is used is noted every
# five minutes: a rest of not much more would end sessions in use.
_LEAST_REST = 0.25
WAYOUT_SESSION_LIMITS = {
    "people": (
        env.number("WAYOUT_IDLE_HOURS", 12, least=_LEAST_REST) * 3600,
        env.number("WAYOUT_SESSION_HOURS", 720) * 3600,
    ),
    "staff": (
        env.number("WAYOUT_STAFF_IDLE_HOURS", 2, least=_LEAST_REST) * 3600,
        env.number("WAYOUT_STAFF_SESSION_HOURS", 12) * 3600,
    ),
}
# A portal on another origin keeps tokens: short access, refreshed by tokens that work once, ended with the session.
HEADLESS_TOKEN_STRATEGY = "portal.accounts.tokens.AppTokens"  # noqa: S105
HEADLESS_JWT_ALGORITHM = "HS256"
HEADLESS_JWT_STATEFUL_VALIDATION_ENABLED = True
HEADLESS_JWT_ACCESS_TOKEN_EXPIRES_IN = 300
HEADLESS_JWT_REFRESH_TOKEN_EXPIRES_IN = int(WAYOUT_SESSION_LIMITS["people"][0])
_RESET_PAGE = env.text("WAYOUT_RESET_PAGE", holds=lambda said: "{key}" in said)
HEADLESS_FRONTEND_URLS = {"account_reset_password_from_key": _RESET_PAGE} if _RESET_PAGE else {}
WAYOUT_OIDC_URL = env.address("WAYOUT_OIDC_URL", "https", "http")
WAYOUT_OIDC_CLIENT_ID = env.needed("WAYOUT_OIDC_CLIENT_ID") if WAYOUT_OIDC_URL else ""
WAYOUT_OIDC_AUDIENCE = env.text("WAYOUT_OIDC_AUDIENCE")
WAYOUT_OIDC_TRUST_EMAIL = env.flag("WAYOUT_OIDC_TRUST_EMAIL", default=False)
SOCIALACCOUNT_ADAPTER = "portal.accounts.organization.OrganizationAdapter"
SOCIALACCOUNT_PROVIDERS: dict[str, Any] = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": []}}
if WAYOUT_OIDC_URL:
    SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"].append({
        "provider_id": "organization",
        "name": env.text("WAYOUT_OIDC_NAME", "OpenID Connect"),
        "client_id": WAYOUT_OIDC_CLIENT_ID,
        "secret": env.needed("WAYOUT_OIDC_CLIENT_SECRET"),
        "settings": {
            "server_url": WAYOUT_OIDC_URL,
            "verified_email": WAYOUT_OIDC_TRUST_EMAIL,
        },
    })  # fmt: skip
# Staff come into the admin with a second factor.
WAYOUT_STAFF_SECOND_FACTOR = env.flag("WAYOUT_STAFF_SECOND_FACTOR", default=not DEBUG)
# The demo's mail can be looked at as files; its terminal shows how to get in. Without a mail server mail waits for one.
_EMAIL = env.mail("WAYOUT_EMAIL_URL", f"file:///{VAR_DIR / 'mail'}" if DEBUG else "console:")
EMAIL_FILE_PATH = _EMAIL["EMAIL_FILE_PATH"]
EMAIL_BACKEND = _EMAIL["EMAIL_BACKEND"].replace("django.core.mail.backends.smtp.", "outbox.smtp.")
if not DEBUG and "WAYOUT_EMAIL_URL" not in os.environ:
    EMAIL_BACKEND = "outbox.unsent.EmailBackend"
EMAIL_HOST, EMAIL_PORT = _EMAIL["EMAIL_HOST"], _EMAIL["EMAIL_PORT"]
EMAIL_TIMEOUT = 10  # seconds for each step; see outbox/smtp.py for all of them
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _EMAIL["EMAIL_HOST_USER"], _EMAIL["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS, EMAIL_USE_SSL = _EMAIL["EMAIL_USE_TLS"], _EMAIL["EMAIL_USE_SSL"]
WAYOUT_STAFF_EMAIL: list[str] = env.listed("WAYOUT_STAFF_EMAIL")
DEFAULT_FROM_EMAIL = env.text("WAYOUT_EMAIL_FROM", "wayout@localhost")

LANGUAGE_CODE = DEFAULT_LANGUAGE
LANGUAGES = language_choices()
LOCALE_PATHS = [BASE_DIR / "portal" / "locale"]
FORMAT_MODULE_PATH = ["portal.formats"]
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
# The element is a package of its own; its modules are served as they are.
STATICFILES_DIRS = [("wayout", BASE_DIR / "frontend" / "src")]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage" if DEBUG else "portal.web.static.HashedFiles"
    },
}
WHITENOISE_USE_FINDERS = DEBUG
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.flag("WAYOUT_HTTPS", default=not DEBUG)
# A browser takes a cookie of such a name from us alone: by HTTPS, from this very host, for all of it. Neither a neighbouring
# host nor somebody on the network can plant one. Where HTTPS is somebody else's to see to, names are plain.
COOKIE_PREFIX = "__Host-" if SECURE_SSL_REDIRECT else ""
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}sessionid", f"{COOKIE_PREFIX}csrftoken"
LANGUAGE_COOKIE_NAME = f"{COOKIE_PREFIX}language"
LANGUAGE_COOKIE_SECURE, LANGUAGE_COOKIE_HTTPONLY, LANGUAGE_COOKIE_SAMESITE = bool(COOKIE_PREFIX), True, "Lax"
MESSAGE_STORAGE = "portal.web.messages.Messages"
SECURE_HSTS_SECONDS = 31_536_000 if SECURE_SSL_REDIRECT else 0
SECURE_REDIRECT_EXEMPT = [r"^healthz/"]
if WAYOUT_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Whether the hosts beside this one, and browsers' preload lists, are ready for HSTS is not ours to say.
# fields.W161 takes the hours of the desk for a clock that was read once, at nine and at six.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021", "fields.W161"]
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in WAYOUT_HOSTS if host != "*"]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "object-src": ["'none'"],
        # The code that an authenticator app scans is an image in the page.
        "img-src": ["'self'", "data:"],
        "base-uri": ["'none'"],
        # Signing in by the organization posts to us and is sent on to it.
        "form-action": [
            "'self'",
            *(["{0.scheme}://{0.netloc}".format(urlsplit(WAYOUT_OIDC_URL))] * bool(WAYOUT_OIDC_URL)),
        ],
        "frame-ancestors": ["'none'"],
    }
}
# A portal on another origin sends a token, never our cookies.
CORS_ALLOWED_ORIGINS: list[str] = env.listed("WAYOUT_ORIGINS")
CORS_URLS_REGEX = r"^/(graphql/|receipts/[^/]+/)$"
CORS_ALLOW_METHODS = ["GET", "POST", "OPTIONS"]
CORS_ALLOW_HEADERS = ["accept", "authorization", "content-type", "wayout-locale"]
CORS_EXPOSE_HEADERS = [
    "wayout-request-id", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "retry-after", "content-language",
]  # fmt: skip
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_ENGINE = "portal.accounts.sessions"
CSRF_FAILURE_VIEW = "portal.web.csrf.refused"
# 10,000 user ids in one removeUsers call are about 200 kB.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
WAYOUT_SYNC_MAX_BYTES = env.whole("WAYOUT_SYNC_MAX_BYTES", 200_000_000, least=1_000_000)

# What one GraphQL document may ask for, with its fragments written out. See portal/graphql/limits.py.
GRAPHQL_LIMITS = {
    "tokens": 1_000,
    "depth": 20,
    "rootFields": 20,
    "fieldsPerSelection": 100,
    "aliases": 50,
    "directives": 50,
    "cost": 28_000,
    "bytesSignedOut": 1_000_000,
}
REQUEST_TIMEOUT = env.number("WAYOUT_REQUEST_TIMEOUT", 10)  # seconds that an API request may work

CACHES = {
    "default": {"BACKEND": "common.store.SharedCache", "LOCATION": WAYOUT_REDIS_URL}
    if WAYOUT_REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 2_000}}
}

LOGGING = configure_logging(for_people=DEBUG)
