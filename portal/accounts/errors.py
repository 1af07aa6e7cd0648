"""Why somebody does not come in: stable codes, told the same for what must not be told apart."""

from __future__ import annotations

from subscriptions.errors import SubscriptionError


class SignInFailed(SubscriptionError):
    """The name, the password or the code is wrong: never told which, nor whether there is such an account."""

    code = "SIGN_IN_FAILED"


class SecondFactorRequired(SubscriptionError):
    """The password is right; the account asks for a code as well."""

    code = "SECOND_FACTOR_REQUIRED"


class AlreadySignedIn(SubscriptionError):
    """Somebody is signed in in this session."""

    code = "ALREADY_SIGNED_IN"


class SessionEnded(SubscriptionError):
    """There is no session to go on with: it ended, or its refresh token was used."""

    code = "SESSION_ENDED"


class ResetKeyInvalid(SubscriptionError):
    """The key of a reset link that is unknown, used, or too old."""

    code = "RESET_KEY_INVALID"
