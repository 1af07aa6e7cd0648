"""Accounts of people: sign in and out, and passwords, over allauth's own flows."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import strawberry
from django.conf import settings

from portal.accounts.flows import Session
from portal.graphql.types.viewer import Viewer
from tenants.people import caller_of_person


@strawberry.enum(
    description="COOKIE: the session of this origin. TOKEN: for a portal on another origin, which keeps the tokens."
)
class SessionKind(Enum):
    COOKIE = strawberry.enum_value("COOKIE", description="A cookie of this origin.")
    TOKEN = strawberry.enum_value("TOKEN", description="Tokens in the answer.")


@strawberry.type(description="A person's session.")
class PersonSession:
    session: strawberry.Private[Session]

    @strawberry.field(description="Who is signed in.")
    def viewer(self) -> Viewer:
        return Viewer(caller=caller_of_person(self.session.user))

    @strawberry.field(description="When the person has to sign in again, unless the session is refreshed.")
    def expires_at(self) -> datetime:
        return self.session.expires_at

    @strawberry.field(description="Send it as Authorization: Bearer. Null in a cookie session.")
    def access_token(self) -> str | None:
        return self.session.access_token

    @strawberry.field(description="How many seconds it is good for. Null in a cookie session.")
    def access_token_lives(self) -> int | None:
        return settings.HEADLESS_JWT_ACCESS_TOKEN_EXPIRES_IN if self.session.access_token else None

    @strawberry.field(description="For refreshSession, once: it answers the next one.")
    def refresh_token(self) -> str | None:
        return self.session.refresh_token
