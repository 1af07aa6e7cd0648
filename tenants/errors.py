"""Why a token is not made as it was asked for. Pure.

InputInvalid
├── EndMissing
├── ScimTakesOneTenant
├── ScopesExclude
└── TenantsOrInstallation
"""

from __future__ import annotations

from common.codes import N_
from common.errors import InputInvalid


class ScopesExclude(InputInvalid):
    """Whoever brings facts, or pays refunds, does not decide what follows from them."""

    sentence = N_("%(scope)s and %(other)s do not go on one token. Make two, and keep them apart.")

    def __init__(self, *path: str, scope: str, other: str) -> None:
        super().__init__(*path)
        self.scope = scope
        self.other = other


class ScimTakesOneTenant(InputInvalid):
    """Users and groups have no tenant of their own in SCIM: the token has it."""

    sentence = N_("A token with SCIM is of exactly one tenant.")


class TenantsOrInstallation(InputInvalid):
    """Neither, or both: one of the installation sees all tenants, those to come included."""

    sentence = N_("A token is either of some tenants or of the whole installation.")


class EndMissing(InputInvalid):
    """What opens every tenant does not work for ever."""

    sentence = N_("A token of the whole installation needs an end.")
