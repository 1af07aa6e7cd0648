"""A host vouches for its people, and ends what it vouched for."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry
from django.urls import reverse

from common.public_ids import Kind, read_id
from portal.accounts import vouching as services
from portal.graphql.context import Info
from portal.graphql.fields import mutation
from portal.graphql.types.problems import InputProblem
from portal.web.language import supported
from tenants.callers import Role


@strawberry.input(
    description="Who it is, as the host knows them. No account is made, and none is looked for by the address."
)
class PortalPersonInput:
    external_id: str = strawberry.field(
        description="What the host calls them, always the same; at most 255 characters."
    )
    email: str = strawberry.field(description="Where their receipts go.")
    display_name: str = strawberry.field(
        description="Said on receipts, in mail and on the trail, with the name of the token; at most 200 characters."
    )
    phone: str | None = strawberry.field(
        default=strawberry.UNSET, description="To fill in for a call; at most 20 characters."
    )


@strawberry.input(description="For whom, in which tenant, for how long.")
class CreatePortalSessionInput:
    tenant_external_id: str | None = strawberry.field(default=strawberry.UNSET, description="Exactly one of the two.")
    tenant_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The other way to name the tenant."
    )
    person: PortalPersonInput = strawberry.field(description="Whom the host vouches for.")
    role: Role = strawberry.field(description="At most the role that the token may give.")
    locale: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The code of their language, such as bg. Null, or one that is not spoken here: the tenant's.",
    )
    return_url: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Where the hosted page leads back to; its origin is among those of the token.",
    )
    expires_in: int = strawberry.field(default=900, description="Seconds, 60 to 3600.")
    subscription_external_id: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="What the hosted page shows first. Null, or one that is not theirs: the list.",
    )
    idempotency_key: str = strawberry.field(
        description="A call that is repeated with its key and input is answered with the same session."
    )


@strawberry.type(description="The person can come in.")
class CreatePortalSessionSuccess:
    access_token: str = strawberry.field(
        description="For the element (getToken) and this API: a bearer token with the person's role in the one tenant."
    )
    url: str = strawberry.field(
        description="Of the hosted page. It works once, for whoever opens it: hand it to nobody but the person, now."
    )
    expires_at: datetime = strawberry.field(description="When both end; sooner where the partner's token does.")


CreatePortalSessionPayload = Annotated[
    CreatePortalSessionSuccess | InputProblem,
    strawberry.union("CreatePortalSessionPayload", description="A session, or why not."),
]


@strawberry.input(description="Whose sessions.")
class EndPortalSessionsInput:
    person_external_id: str = strawberry.field(description="As it was given with createPortalSession.")
    tenant_external_id: str | None = strawberry.field(
        default=strawberry.UNSET, description="In this tenant alone. Null: in all that the token sees."
    )


@strawberry.type(description="They are over.")
class EndPortalSessionsSuccess:
    ended: int = strawberry.field(description="How many went on until now.")


EndPortalSessionsPayload = Annotated[
    EndPortalSessionsSuccess | InputProblem,
    strawberry.union("EndPortalSessionsPayload", description="How many ended, or why none."),
]


@strawberry.type
class SessionMutation:
    @mutation(
        description="A host vouches for one of its people: a short-lived token for the element and a one-time address. Scope SESSIONS."
    )
    def create_portal_session(self, info: Info, input: CreatePortalSessionInput) -> CreatePortalSessionPayload:
        made = services.create_portal_session(
            caller=info.context.caller, wish=_wish(input), idempotency_key=input.idempotency_key, now=info.context.now
        )
        return CreatePortalSessionSuccess(
            access_token=made.access_token,
            url=info.context.request.build_absolute_uri(reverse("portal_enter", args=[made.code])),
            expires_at=made.session.expires_at,
        )

    @mutation(description="Ends every session of that person made by this token.")
    def end_portal_sessions(self, info: Info, input: EndPortalSessionsInput) -> EndPortalSessionsPayload:
        ended = services.end_portal_sessions(
            caller=info.context.caller,
            person_external_id=input.person_external_id,
            tenant_external_id=input.tenant_external_id or None,
            now=info.context.now,
        )
        return EndPortalSessionsSuccess(ended=ended)


def _wish(input: CreatePortalSessionInput) -> services.Wish:
    return services.Wish(
        tenant_id=read_id(Kind.TENANT, input.tenant_id) if input.tenant_id else None,
        tenant_external_id=input.tenant_external_id or None,
        person_external_id=input.person.external_id,
        name=input.person.display_name,
        email=input.person.email,
        phone=input.person.phone or "",
        role=input.role,
        language=supported(input.locale or "") or "",
        return_url=input.return_url or "",
        seconds=input.expires_in,
        subscription_external_id=input.subscription_external_id or "",
    )
