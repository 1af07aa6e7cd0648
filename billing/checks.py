"""What is said of the providers' settings by ``manage.py check``, and by every command before it does something."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Warning, register

from billing.providers import problems


@register()
def check_providers(**_: Any) -> list[CheckMessage]:
    """Each provider knows what is wrong with its own."""
    return [Warning(problem, id="billing.W001") for problem in problems()]
