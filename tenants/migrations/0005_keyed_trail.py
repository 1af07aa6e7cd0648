"""The trail's hashes say their format and key, and its heads what was noted of them elsewhere. Rows that are there stay."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenants", "0004_sign_ins")]

    operations = [
        migrations.AddField("auditevent", "format", models.PositiveSmallIntegerField(db_default=1, default=1)),
        migrations.AddField("auditevent", "key_id", models.CharField(db_default="", default="", max_length=8)),
        migrations.AddField("audithead", "anchored", models.PositiveBigIntegerField(db_default=0, default=0)),
        migrations.AddField("installationaudithead", "anchored", models.PositiveBigIntegerField(db_default=0, default=0)),
    ]
