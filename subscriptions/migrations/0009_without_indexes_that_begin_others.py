import django.db.models.deletion
from django.db import migrations, models


def put_back(apps, schema_editor):
    # SQLite remade the table, and knows this index from no model: see 0008.
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute(
            "CREATE INDEX IF NOT EXISTS user_by_activity"
            " ON subscriptions_directoryuser (tenant_id, last_active_at, id)"
        )


class Migration(migrations.Migration):
    """Three indexes less to write: others begin with the same column."""

    dependencies = [("subscriptions", "0008_users_by_activity"), ("tenants", "0003_partner")]

    operations = [
        migrations.AlterField(
            model_name="directoryuser",
            name="tenant",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="directory_users",
                to="tenants.tenant",
                verbose_name="tenant",
            ),
        ),
        migrations.AlterField(
            model_name="license",
            name="subscription",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="licenses",
                to="subscriptions.subscription",
                verbose_name="subscription",
            ),
        ),
        migrations.AlterField(
            model_name="subscription",
            name="tenant",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="subscriptions",
                to="tenants.tenant",
                verbose_name="tenant",
            ),
        ),
        migrations.RunPython(put_back, migrations.RunPython.noop),
    ]
