"""Numbers that are not to be called say whose key they were hashed with: the only one that there was."""

from django.db import migrations, models

from common.keys import oldest_id


def say_the_key(apps, schema_editor):
    """The oldest that is named: if another comes with this version, it hashed none of them."""
    apps.get_model("desk", "OptOut").objects.filter(key_id="").update(key_id=oldest_id())


class Migration(migrations.Migration):
    dependencies = [("desk", "0003_languages")]

    operations = [
        migrations.AddField(
            "optout", "key_id", models.CharField(db_default="", default="", editable=False, max_length=8)
        ),
        migrations.RunPython(say_the_key, migrations.RunPython.noop, elidable=False),
    ]
