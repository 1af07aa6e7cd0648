"""What Django leaves behind when a migration renames a model: it renames the content type, and no permission."""

from __future__ import annotations

from typing import Any

from django.db import migrations


def rename_permissions(app_label: str, models: dict[str, str]) -> migrations.RunPython:
    """An operation for after RenameModel: whoever may do something with the model goes on, both ways.

    ``models``: old and new names in lower case, which must not end alike. Depend on auth and on tenants' first migration.
    """

    def rename(apps: Any, names: dict[str, str]) -> None:
        permissions = apps.get_model("auth", "Permission").objects.filter(content_type__app_label=app_label)
        for old, new in names.items():
            for permission in permissions.filter(codename__endswith=f"_{old}"):
                codename = f"{permission.codename.removesuffix(old)}{new}"
                # Made anew by a migrate the other way round: what it was given to goes to the one that stays.
                if twin := permissions.filter(codename=codename).first():
                    permission.group_set.add(*twin.group_set.all())
                    permission.user_set.add(*twin.user_set.all())
                    twin.delete()
                permission.codename, permission.name = codename, permission.name.replace(old, new)
                permission.save(update_fields=["codename", "name"])

    return migrations.RunPython(
        lambda apps, _editor: rename(apps, models),
        lambda apps, _editor: rename(apps, {new: old for old, new in models.items()}),
    )
