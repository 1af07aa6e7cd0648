"""manage.py createsuperuser: Django's, on the trail. Nobody may do more than whom it makes."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management.commands import createsuperuser
from django.db.models import Max

from tenants.actions import Action
from tenants.models import User
from tenants.staff import record_by_command


class Command(createsuperuser.Command):
    """Asks as Django does, and holds no lock meanwhile."""

    def handle(self, *args: Any, **options: Any) -> None:
        last = User.objects.aggregate(last=Max("pk"))["last"] or 0
        super().handle(*args, **options)
        for made in User.objects.filter(pk__gt=last, is_superuser=True).order_by("pk"):
            record_by_command(Action.USER_ADDED, made)
