"""Sign in and out, and passwords, over allauth's own flows."""

from __future__ import annotations

from typing import Annotated

import strawberry

from portal.accounts import passwords, sign_in
from portal.graphql.context import Info
from portal.graphql.fields import mutation
from portal.graphql.types.accounts import PersonSession, SessionKind
from portal.graphql.types.problems import InputProblem


@strawberry.input(description="Who, and how.")
class SignInInput:
    name: str = strawberry.field(description="User name or email address.")
    password: str = strawberry.field(description="As the person typed it.")
    code: str | None = strawberry.field(
        default=strawberry.UNSET, description="Of the second factor: from the authenticator app, or a recovery code."
    )
    kind: SessionKind = strawberry.field(default=SessionKind.COOKIE, description="Where the session is kept.")


@strawberry.input(description="Which session is to go on.")
class RefreshSessionInput:
    refresh_token: str | None = strawberry.field(
        default=strawberry.UNSET, description="Null: refresh the cookie's session."
    )


@strawberry.input(description="Whose password.")
class RequestPasswordResetInput:
    email: str = strawberry.field(description="The address of the account.")


@strawberry.input(description="The key of the mail and the new password.")
class ResetPasswordInput:
    key: str = strawberry.field(description="The last part of the link in the mail.")
    password: str = strawberry.field(description="The one that is to be.")


@strawberry.input(description="Both passwords.")
class ChangePasswordInput:
    current_password: str = strawberry.field(description="The one that is valid now.")
    new_password: str = strawberry.field(description="The one that is to be.")


@strawberry.type(description="Somebody is signed in.")
class SignInSuccess:
    session: PersonSession = strawberry.field(description="Of the person, with its tokens where they were asked for.")


@strawberry.type(description="Nobody is signed in any more.")
class SignOutSuccess:
    signed_out: bool = strawberry.field(description="Always true.")


@strawberry.type(description="It goes on.")
class RefreshSessionSuccess:
    session: PersonSession = strawberry.field(description="The session with its new tokens, or its longer life.")


@strawberry.type(description="It is asked for.")
class RequestPasswordResetSuccess:
    email: str = strawberry.field(description="A mail is on its way there, whether there is such an account or not.")


@strawberry.type(description="It is set.")
class ResetPasswordSuccess:
    reset: bool = strawberry.field(description="Always true.")


@strawberry.type(description="It is changed.")
class ChangePasswordSuccess:
    session: PersonSession = strawberry.field(description="This session, which goes on.")


SignInPayload = Annotated[
    SignInSuccess | InputProblem, strawberry.union("SignInPayload", description="Signed in; or why not.")
]
SignOutPayload = Annotated[
    SignOutSuccess | InputProblem, strawberry.union("SignOutPayload", description="Signed out; or why not.")
]
RefreshSessionPayload = Annotated[
    RefreshSessionSuccess | InputProblem,
    strawberry.union("RefreshSessionPayload", description="It goes on; or why not."),
]
RequestPasswordResetPayload = Annotated[
    RequestPasswordResetSuccess | InputProblem,
    strawberry.union("RequestPasswordResetPayload", description="Asked for; or why not."),
]
ResetPasswordPayload = Annotated[
    ResetPasswordSuccess | InputProblem, strawberry.union("ResetPasswordPayload", description="Set; or why not.")
]
ChangePasswordPayload = Annotated[
    ChangePasswordSuccess | InputProblem, strawberry.union("ChangePasswordPayload", description="Changed; or why not.")
]


@strawberry.type
class AccountMutation:
    @mutation(
        description="Everything at once: SECOND_FACTOR_REQUIRED asks for the same again with a code."
        " What was wrong is not told, nor whether there is such an account."
    )
    def sign_in(self, info: Info, input: SignInInput) -> SignInPayload:
        by_token = input.kind is SessionKind.TOKEN
        session = sign_in.sign_in(
            info.context.request, input.name, input.password, input.code or None, by_token=by_token
        )
        return SignInSuccess(session=PersonSession(session=session))

    @mutation(description="Ends the session of the cookie or the access token. Repeating it is harmless.")
    def sign_out(self, info: Info) -> SignOutPayload:
        sign_in.sign_out(info.context.request)
        return SignOutSuccess(signed_out=True)

    @mutation(description="New tokens for a refresh token, or a longer life for the cookie's session.")
    def refresh_session(self, info: Info, input: RefreshSessionInput) -> RefreshSessionPayload:
        session = sign_in.refresh_session(info.context.request, input.refresh_token or None)
        return RefreshSessionSuccess(session=PersonSession(session=session))

    @mutation(description="Mails a link. The answer is the same whether there is such an account or not.")
    def request_password_reset(
        self,
        info: Info,
        input: RequestPasswordResetInput,
    ) -> RequestPasswordResetPayload:
        passwords.request_password_reset(info.context.request, input.email)
        return RequestPasswordResetSuccess(email=input.email)

    @mutation(description="A link works once; every session of the person ends. Then sign in.")
    def reset_password(
        self,
        info: Info,
        input: ResetPasswordInput,
    ) -> ResetPasswordPayload:
        passwords.reset_password(info.context.request, input.key, input.password)
        return ResetPasswordSuccess(reset=True)

    @mutation(description="Of a signed-in person. This session goes on, every other one ends.")
    def change_password(self, info: Info, input: ChangePasswordInput) -> ChangePasswordPayload:
        session = passwords.change_password(info.context.request, input.current_password, input.new_password)
        return ChangePasswordSuccess(session=PersonSession(session=session))
