"""What the environment says (or a .env file beside manage.py): every variable that Wayout reads, and how it is read.

What a provider needs it declares itself (billing/providers). docs/setup.md says more of each; a test holds both lists, and
what portal/settings.py reads, together.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
import limits
from django.core.exceptions import ImproperlyConfigured
from dotenv import dotenv_values
from environs import Env, EnvError


@dataclass(frozen=True, slots=True)
class Variable:
    """One of them: what it is for, what kind of text it takes, and one that is right."""

    help: str
    kind: str
    example: str


_FLAG, _TEXT, _SECONDS = "1 or 0", "a text", "a number of seconds, more than 0"
_RATE = "a number of requests in a time"
_HOURS = "a number of hours, more than 0"
_REST = "a number of hours, 0.25 or more"
_WORD = "a text that nobody can guess"
VARIABLES: Mapping[str, Variable] = {
    "WAYOUT_DEBUG": Variable("on for development and the demo; demo logins exist only then", _FLAG, "0"),
    "WAYOUT_SECRET_KEY": Variable("signs sessions, quotes and the trail's personal data", _WORD, "(50 characters)"),
    "WAYOUT_SECRET_KEY_FALLBACKS": Variable(
        "older secret keys, whose sessions and quotes count on", "texts of 50 characters or more, comma separated", "(50 characters)"
    ),
    "WAYOUT_DIGEST_KEYS": Variable(
        "older secret keys, by which only hashed numbers and the trail are looked up",
        "texts of 50 characters or more, comma separated", "(50 characters)"
    ),
    "WAYOUT_AUDIT_ANCHORS": Variable(
        "where the ends of the audit trail are noted once a day, beside the log", "a file in a folder that can be written to",
        "/var/log/wayout-anchors.jsonl",
    ),
    "WAYOUT_HOSTS": Variable(
        "host names served; with a port where the world sees another than the server's",
        "host names, comma separated", "wayout.example",
    ),
    "WAYOUT_ENVIRONMENT": Variable(
        "a word in every partner token that tells live from test: wyo_live_...", "one word of lower-case letters", "live"
    ),
    "WAYOUT_HTTPS": Variable("off only where something else redirects to HTTPS", _FLAG, "1"),
    "WAYOUT_PROXIES": Variable(
        "how many proxies stand in front: their X-Forwarded headers are believed", "a whole number, 0 or more", "1"
    ),
    "WAYOUT_ORIGINS": Variable(
        "origins of portals elsewhere that call the API with a token", "origins, comma separated", "https://portal.example"
    ),
    "WAYOUT_REDIS_URL": Variable(
        "one cache and one count of requests for all processes", "the address of a Redis", "redis://127.0.0.1:6379/0"
    ),
    "WAYOUT_MAX_CONCURRENCY": Variable("requests a process works on at once", "a whole number, 1 or more", "8"),
    "WAYOUT_CALLER_RATE": Variable("requests of one person or token", _RATE, "600/minute"),
    "WAYOUT_TENANT_RATE": Variable("changes of one tenant", _RATE, "300/minute"),
    "WAYOUT_REQUEST_TIMEOUT": Variable("how long an API request may take", _SECONDS, "10"),
    "WAYOUT_SYNC_MAX_BYTES": Variable(
        "how long a document of facts may be, unpacked", "a whole number of bytes, 1000000 or more", "200000000"
    ),
    "WAYOUT_STATEMENT_TIMEOUT": Variable(
        "how long a statement on PostgreSQL may take (10 where it is served)",
        "a whole number of seconds, 0 for no limit", "10",
    ),
    "WAYOUT_BROKER_URL": Variable(
        "Celery wakes the workers by it", "the address of a Redis or a RabbitMQ", "redis://127.0.0.1:6379/1"
    ),
    "WAYOUT_QUEUE": Variable("the name of its queue", _TEXT, "wayout"),
    "WAYOUT_METRICS_TOKEN": Variable("opens /metrics to whoever bears it", _WORD, "(32 characters)"),
    "WAYOUT_STAFF_SECOND_FACTOR": Variable("staff need one for the admin", _FLAG, "1"),
    "WAYOUT_IDLE_HOURS": Variable("how long somebody who is signed in may rest", _REST, "12"),
    "WAYOUT_SESSION_HOURS": Variable("how long somebody stays signed in at the most", _HOURS, "720"),
    "WAYOUT_STAFF_IDLE_HOURS": Variable("the same rest, of staff", _REST, "2"),
    "WAYOUT_STAFF_SESSION_HOURS": Variable("how long staff stay signed in at the most", _HOURS, "12"),
    "WAYOUT_EMAIL_URL": Variable(
        "without, mail waits for one", "the address of a mail server",
        "submission://user:password@mail.example:587",
    ),
    "WAYOUT_EMAIL_FROM": Variable("the sender of mail", "an email address", "wayout@wayout.example"),
    "WAYOUT_STAFF_EMAIL": Variable(
        "who hears of what only staff can mend", "email addresses, comma separated", "staff@wayout.example"
    ),
    "WAYOUT_GATEWAY_SECRET": Variable(
        "what a GraphQL gateway shows to reach /subgraph/", f"{_WORD}, of 32 characters or more", "(32 characters)"
    ),
    "WAYOUT_WEBHOOK_PRIVATE": Variable("events may go to private addresses and by plain HTTP", _FLAG, "0"),
    "WAYOUT_WEBHOOK_TIMEOUT": Variable("how long a receiver of events may take", _SECONDS, "10"),
    "WAYOUT_PROVIDER": Variable(
        "who pays refunds: owed (you do, by other means), another that is built in, or the dotted path of a class",
        "the name of a provider", "owed",
    ),
    "WAYOUT_PROVIDERS": Variable(
        "others that agreements and refunds still name", "dotted paths of classes, comma separated", "shop.payouts.Payouts"
    ),
    "WAYOUT_RECONCILE_RATE": Variable(
        "how often a second reconciling asks a provider", "a number of calls a second, more than 0, and 100 at the most", "10"
    ),
    "WAYOUT_RESET_PAGE": Variable(
        "a portal's own page for links that reset a password", "an address with {key} in it",
        "https://portal.example/reset?key={key}",
    ),
    "WAYOUT_OIDC_URL": Variable(
        "an organization's OpenID Connect server", "an address", "https://login.microsoftonline.com/<directory>/v2.0"
    ),
    "WAYOUT_OIDC_CLIENT_ID": Variable("how it knows us, needed with WAYOUT_OIDC_URL", _TEXT, "(the application's id)"),
    "WAYOUT_OIDC_CLIENT_SECRET": Variable("our password there, needed with WAYOUT_OIDC_URL", _TEXT, "(the secret's value)"),
    "WAYOUT_OIDC_NAME": Variable("what its button is called", _TEXT, "Microsoft Entra"),
    "WAYOUT_OIDC_AUDIENCE": Variable("its access tokens for it are callers of the API, too", _TEXT, "(the application's id)"),
    "WAYOUT_OIDC_TRUST_EMAIL": Variable(
        "its addresses count as verified although it does not say so (Microsoft Entra)", _FLAG, "0"
    ),
    "WAYOUT_VAR": Variable(
        "the embedded database, collected static files, mail of the demo", "a folder that can be made and written to", "/var/lib/wayout"
    ),
    "DATABASE_URL": Variable(
        "without it an SQLite file in WAYOUT_VAR", "the address of a PostgreSQL database, or an SQLite file in a folder that is there",
        "postgresql://user:password@host:5432/wayout",
    ),
}  # fmt: skip
# What a variable was called before.
_RENAMED = {"WAYOUT_AT_ONCE": "WAYOUT_MAX_CONCURRENCY"}
_POSTGRESQL, _SQLITE = "django.db.backends.postgresql", "django.db.backends.sqlite3"
_env = Env()


def read_file(path: Path) -> None:
    """Take what a .env file says where the environment itself says nothing; for providers, too, which look there.

    All but WAYOUT_DEBUG: what this process starts would take it for said, and the demo's file serves nobody.
    """
    _env.read_env(str(path), recurse=False)
    for name, value in dotenv_values(path).items():
        if name != "WAYOUT_DEBUG" and value is not None:
            os.environ.setdefault(name, value)


def refusal(name: str) -> ImproperlyConfigured:
    """What to raise where nothing can be done with the value. It is not said: it may be a secret."""
    about = VARIABLES[name]
    return ImproperlyConfigured(f"{name} is {about.kind}, for example {name}={about.example}: {about.help}.")


def _read(read: Callable[..., Any], name: str, default: object, *, holds: Callable[[Any], bool] | None = None) -> Any:
    try:
        value = read(name, default)
    except EnvError:
        raise refusal(name) from None
    if holds and not holds(value):
        raise refusal(name)
    return value


def text(name: str, default: str = "", *, holds: Callable[[str], bool] | None = None) -> str:
    """As it stands. ``holds`` is asked of what is not empty."""
    value: str = _read(_env.str, name, default, holds=lambda said: not said or holds is None or holds(said))
    return value


def needed(name: str) -> str:
    """The same, where nothing works without it."""
    if value := text(name):
        return value
    raise refusal(name)


def flag(name: str, *, default: bool) -> bool:
    value: bool = _read(_env.bool, name, default)
    return value


def whole(name: str, default: int, *, least: int = 0) -> int:
    """A whole number."""
    value: int = _read(_env.int, name, default, holds=lambda said: said >= least)
    return value


def number(name: str, default: float, *, least: float = 0, limit: float = float("inf")) -> float:
    """A number of more than 0."""
    value: float = _read(
        _env.float, name, default, holds=lambda said: isfinite(said) and said > 0 and least <= said <= limit
    )
    return value


def listed(name: str, default: Iterable[str] = (), *, least: int = 1) -> list[str]:
    """Texts of so many characters or more, comma separated; blanks around them, and empty ones, are nothing."""

    def of(found: Iterable[str]) -> list[str]:
        return [one for text in found if (one := text.strip())]

    value: list[str] = _read(
        _env.list, name, list(default), holds=lambda said: min(map(len, of(said)), default=least) >= least
    )
    return of(value)


def rate(name: str, default: str) -> str:
    def holds(said: str) -> bool:
        try:
            return limits.parse(said).amount >= 1
        except ValueError:
            return False

    value: str = _read(_env.str, name, default, holds=holds)
    return value


def address(name: str, *schemes: str) -> str:
    """A URL with one of these schemes; empty where nobody set it."""
    return text(name, holds=lambda said: said.partition("://")[1] != "" and urlsplit(said).scheme in schemes)


def mail(name: str, default: str) -> dict[str, Any]:
    """What Django is told of a mail server."""
    found: dict[str, Any] = _read(_env.dj_email_url, name, default, holds=lambda said: "EMAIL_BACKEND" in said)
    if found["EMAIL_BACKEND"].endswith("smtp.EmailBackend") and not found["EMAIL_HOST"]:
        raise refusal(name)
    return found


def folder(name: str, default: Path) -> Path:
    """A folder; made where its own is there."""
    path = Path(text(name) or default)
    try:
        # The database and mail in it are nobody else's on this machine.
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        raise refusal(name) from None
    return path


def database_url(embedded: Path) -> str:
    """Which database, once it is one that we know, in a place that is there and can be written to."""
    url = text("DATABASE_URL") or f"sqlite:///{embedded}"
    try:
        said = dj_database_url.parse(url)
    except ValueError:
        raise refusal("DATABASE_URL") from None
    name = str(said["NAME"])
    if said["ENGINE"] == _SQLITE and name != ":memory:":
        if not os.access(Path(name).parent, os.W_OK):
            raise refusal("WAYOUT_VAR" if Path(name) == embedded else "DATABASE_URL")
    elif said["ENGINE"] not in (_SQLITE, _POSTGRESQL) or not name:
        raise refusal("DATABASE_URL")
    return url


def misspelt(known: Iterable[str]) -> Iterator[str]:
    """A sentence for each WAYOUT_ name that is set and that nobody reads: not one of ours, nor of ``known``."""
    # What all of them begin with would make any two alike.
    names = {one.removeprefix("WAYOUT_"): one for one in {*VARIABLES, *known}}
    for name in sorted(os.environ):
        if not name.startswith("WAYOUT_") or name in names.values():
            continue
        like = difflib.get_close_matches(name.removeprefix("WAYOUT_"), names, 1)
        near = [_RENAMED[name]] if name in _RENAMED else [names[one] for one in like]
        yield f"{name} is set and nothing reads it." + "".join(f" Is {one} meant?" for one in near)
