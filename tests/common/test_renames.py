"""A model that a migration renames keeps who may do what with it, there and back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.served.clone import ROOT, run

pytestmark = pytest.mark.long
GIVE = (
    "from django.contrib.auth.models import Group, Permission; group = Group.objects.create(name='ours');"
    "group.permissions.add(Permission.objects.get(codename='requeue_task'))"
)
WHOSE = (
    "from django.contrib.auth.models import Permission; from outbox.models import Task;"
    "print([*Permission.objects.filter(group__name='ours').values_list('codename', 'name')], "
    "Permission.objects.filter(codename__endswith='_effect').count())"
)


def test_permissions_go_with_the_model(tmp_path: Path) -> None:
    given = {"WAYOUT_DEBUG": "1", "WAYOUT_VAR": str(tmp_path)}

    def manage(*command: str) -> str:
        done = run(ROOT, "manage.py", *command, **given)
        assert done.returncode == 0, done.stderr
        return done.stdout

    manage("migrate")
    manage("shell", "--no-imports", "-c", GIVE)
    manage("migrate", "outbox", "0001")
    manage("migrate")
    assert manage("shell", "--no-imports", "-c", WHOSE).strip() == "[('requeue_task', 'Can do tasks again')] 0"
