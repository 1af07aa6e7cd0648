"""The trail's hashes say their format and key, and its heads what was noted of them elsewhere. Rows that are there stay."""

from typing import Any

from django.core.management.base import CommandError
from django.db import migrations, models


def refuse_to_forget(apps: Any, _schema_editor: Any) -> None:
    """Without its format and key every such event would look changed for ever."""
    if apps.get_model("tenants", "AuditEvent").objects.exclude(format=1).exists():
        raise CommandError(
            "Nothing was migrated back: events of the trail say the key of their hashes, which the version before has no"
            " place for. It runs on this database as it is."
        )


class Migration(migrations.Migration):
    dependencies = [("tenants", "0004_sign_ins")]

    operations = [
        migrations.AddField("auditevent", "format", models.PositiveSmallIntegerField(db_default=1, default=1)),
        migrations.AddField("auditevent", "key_id", models.CharField(db_default="", default="", max_length=8)),
        migrations.AddField("audithead", "anchored", models.PositiveBigIntegerField(db_default=0, default=0)),
        migrations.AddField("installationaudithead", "anchored", models.PositiveBigIntegerField(db_default=0, default=0)),
        migrations.RunPython(migrations.RunPython.noop, refuse_to_forget),
    ]
