"""Up to where each chain may be of the first format: what is there now is signed. And nothing is noted before it is there."""

from typing import Any

from django.db import migrations, models

from tenants.hashing import sign_older

_AT_ONCE = 500


def sign_ends(apps: Any, _schema_editor: Any) -> None:
    for name in ("AuditHead", "InstallationAuditHead"):
        model = apps.get_model("tenants", name)
        heads = list(model.objects.filter(position__gt=0))
        for head in heads:
            head.older_until = head.position
            head.older_signature = sign_older(getattr(head, "tenant_id", None), head.position, head.hash)
        model.objects.bulk_update(heads, ["older_until", "older_signature"], batch_size=_AT_ONCE)


class Migration(migrations.Migration):
    dependencies = [("tenants", "0005_keyed_trail")]

    operations = [
        *(
            migrations.AddField(head, name, field)
            for head in ("audithead", "installationaudithead")
            for name, field in (
                ("older_until", models.PositiveBigIntegerField(db_default=0, default=0)),
                ("older_signature", models.CharField(db_default="", default="", max_length=73)),
            )
        ),
        *(
            migrations.AddConstraint(
                head,
                models.CheckConstraint(condition=models.Q(anchored__lte=models.F("position")), name=f"{head}_not_ahead"),
            )
            for head in ("audithead", "installationaudithead")
        ),
        migrations.RunPython(sign_ends, migrations.RunPython.noop),
    ]
