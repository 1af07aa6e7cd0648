"""Why somebody does not come in: told the same for what must not be told apart. Pure.

ExpectedError
├── AlreadySignedIn
├── ResetKeyInvalid
├── SecondFactorRequired
├── SessionEnded
├── SignInFailed
├── NotPermitted
│   └── RoleTooHigh
└── InputInvalid
    ├── InputRefused
    ├── InvitationEnded
    ├── InvitationWaiting
    ├── OneTenantMissing
    └── ReturnUrlRefused
"""

from __future__ import annotations

from common.codes import N_
from common.errors import ExpectedError, InputInvalid, NotPermitted


class AlreadySignedIn(ExpectedError):
    """Somebody is signed in in this session."""

    code = "ALREADY_SIGNED_IN"
    sentence = N_("Somebody is signed in here. Sign out first.")


class ResetKeyInvalid(ExpectedError):
    """The key of a reset link that is unknown, used, or too old."""

    code = "RESET_KEY_INVALID"
    sentence = N_("This link was used or is too old. Ask for a new one.")


class SecondFactorRequired(ExpectedError):
    """The password is right; the account asks for a code as well."""

    code = "SECOND_FACTOR_REQUIRED"
    sentence = N_("Enter the code of your authenticator app, or a recovery code.")


class SessionEnded(ExpectedError):
    """There is no session to go on with: it ended, or its refresh token was used."""

    code = "SESSION_ENDED"
    sentence = N_("This session has ended. Sign in again.")


class SignInFailed(ExpectedError):
    """The name, the password or the code is wrong: never told which, nor whether there is such an account."""

    code = "SIGN_IN_FAILED"
    sentence = N_("The name, the password or the code is wrong.")


class InputRefused(InputInvalid):
    """A value that allauth, or a validator of Django's, refuses in a sentence of its own."""

    sentence = "%(why)s"

    def __init__(self, *path: str, why: str) -> None:
        """``why``: translated already."""
        super().__init__(*path)
        self.why = why


class InvitationEnded(InputInvalid):
    """To staff, who would withdraw it or send it again."""

    sentence = N_("This invitation was accepted or withdrawn.")


class InvitationWaiting(InputInvalid):
    """To staff: a second link would be one more that opens the same."""

    sentence = N_("There is an invitation for this address already. Send it again, or withdraw it.")


class OneTenantMissing(InputInvalid):
    """Neither or both."""

    sentence = N_("Name the tenant by tenantExternalId or by tenantId, by one of the two.")


class ReturnUrlRefused(InputInvalid):
    """Whoever has a token could otherwise send people of ours anywhere."""

    sentence = N_("People do not return there: the origin is not among those of the token.")


class RoleTooHigh(NotPermitted):
    """A token says up to which role its host may vouch."""

    sentence = N_("This token vouches for the role %(role)s at most.")

    def __init__(self, *path: str, role: str) -> None:
        super().__init__(*path)
        self.role = role
