"""manage.py changepassword: Django's, on the trail. The person's sessions end by it."""

from __future__ import annotations

import getpass
from typing import Any

from django.contrib.auth.management.commands import changepassword

from tenants.actions import Action
from tenants.models import User
from tenants.staff import record_by_command


class Command(changepassword.Command):
    """Asks as Django does, and holds no lock meanwhile."""

    def handle(self, *args: Any, **options: Any) -> str | None:
        said: str | None = super().handle(*args, **options)
        name = options["username"] or getpass.getuser()
        record_by_command(Action.USER_PASSWORD_SET, User.objects.get_by_natural_key(name))
        return said
