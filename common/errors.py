"""What a caller may meet: every expected failure is one class, with its code, its sentence and its data. Pure.

ExpectedError
├── ChangedMeanwhile
├── InputInvalid
│   ├── CharactersInvalid
│   ├── ChoiceInvalid
│   ├── EmailInvalid
│   ├── NumberOutOfRange
│   ├── TextTooLong
│   ├── TooManyValues
│   └── ValueMissing
├── NotAuthenticated
├── NotFound
├── NotPermitted
│   ├── RoleMissing
│   └── ScopeMissing
└── RateLimited

These are what every app meets; each app has its own in its ``errors.py``. A subclass without a code of its own is the
same failure to a program and another sentence to a person. Sentences are said by ``common/messages.py``.
"""

from __future__ import annotations

from math import ceil
from typing import ClassVar, NamedTuple

from common.codes import N_


class Plural(NamedTuple):
    """A sentence that depends on a count: the placeholder ``by``, for an error one of its attributes."""

    one: str
    many: str
    by: str = "limit"


class ExpectedError(Exception):
    """Base of every expected failure.

    ``path`` names the field of a mutation's input that it is about, in the spelling of the API. The attributes of the
    error are the placeholders of its sentence.
    """

    code: ClassVar[str]
    sentence: ClassVar[str | Plural]

    def __init__(self, *path: str) -> None:
        super().__init__(self.code)
        self.path = list(path)


class NotAuthenticated(ExpectedError):
    """Nobody is signed in, or the token is wrong, expired or revoked."""

    code = "NOT_AUTHENTICATED"
    sentence = N_("Sign in, or send a valid token.")


class NotPermitted(ExpectedError):
    """The caller sees the object, but its role or scopes forbid the act."""

    code = "NOT_PERMITTED"
    sentence = N_("You are not allowed to do this.")


class RoleMissing(NotPermitted):
    """To a person: the role of an admin would allow it."""

    sentence = N_("You are not allowed to do this. It takes the role of an admin.")


class ScopeMissing(NotPermitted):
    """To a token, for which no role helps: a scope would allow it."""

    sentence = N_("You are not allowed to do this. It takes the scope %(scope)s.")

    def __init__(self, *path: str, scope: str) -> None:
        super().__init__(*path)
        self.scope = scope


class NotFound(ExpectedError):
    """No such object, or one of a tenant that the caller cannot see: both look alike."""

    code = "NOT_FOUND"
    sentence = N_("There is nothing with this id.")


class InputInvalid(ExpectedError):
    """A value that is not of its kind, out of its bounds, or missing; or a document beyond a limit."""

    code = "INPUT_INVALID"
    sentence: ClassVar[str | Plural] = N_("This value cannot be read.")


class CharactersInvalid(InputInvalid):
    """Control characters, or half a character."""

    sentence = N_("This field contains characters that are not text.")


class ChoiceInvalid(InputInvalid):
    """None of the values that there are."""

    sentence = N_("This value is not one of the choices.")


class EmailInvalid(InputInvalid):
    """Not an address."""

    sentence = N_("This is no email address.")


class NumberOutOfRange(InputInvalid):
    """Less than ``least`` or more than ``limit``."""

    sentence = N_("This must be a number from %(least)s to %(limit)s.")

    def __init__(self, *path: str, least: int, limit: int) -> None:
        super().__init__(*path)
        self.least = least
        self.limit = limit


class TextTooLong(InputInvalid):
    """More than ``limit`` characters."""

    sentence = Plural("At most %(limit)d character.", "At most %(limit)d characters.")

    def __init__(self, *path: str, limit: int) -> None:
        super().__init__(*path)
        self.limit = limit


class TooManyValues(InputInvalid):
    """More than ``limit`` in a list."""

    sentence = Plural("At most %(limit)d value.", "At most %(limit)d values.")

    def __init__(self, *path: str, limit: int) -> None:
        super().__init__(*path)
        self.limit = limit


class ValueMissing(InputInvalid):
    """Nothing, where something is required."""

    sentence = N_("This field must not be empty.")


class ChangedMeanwhile(ExpectedError):
    """Staff: somebody changed it since the page was shown. Nothing was changed."""

    code = "CHANGED_MEANWHILE"
    sentence = N_("Somebody changed this since you opened it. Nothing was done.")


class RateLimited(ExpectedError):
    """Too many requests of this caller, changes of this tenant, or attempts. Wait a while before the next."""

    code = "RATE_LIMITED"
    sentence: ClassVar[str | Plural] = Plural(
        "Too many requests. Try again in %(minutes)d minute.",
        "Too many requests. Try again in %(minutes)d minutes.",
        by="minutes",
    )

    def __init__(self, *path: str, retry_after: float) -> None:
        """``retry_after``: how many seconds to wait."""
        super().__init__(*path)
        self.retry_after = max(1, ceil(retry_after))
        self.minutes = ceil(self.retry_after / 60)
