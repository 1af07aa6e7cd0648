"""How people come in: by django-allauth, with accounts that staff make."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Nobody signs up by themselves: an account comes with a role in a tenant."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Closed."""
        return False
