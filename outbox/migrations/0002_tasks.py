"""The words of the field: an effect is a task, a beat the next run of periodic work."""

from typing import Any

from django.db import migrations, models


def rename_permissions(apps: Any, _editor: Any) -> None:
    """Who may requeue may go on doing it: Django renames the content type of a model, and no permission."""
    permissions = apps.get_model("auth", "Permission").objects.filter(content_type__app_label="outbox")
    for permission in permissions.filter(codename__endswith="_effect"):
        permission.codename = permission.codename.removesuffix("_effect") + "_task"
        permission.save(update_fields=["codename"])


class Migration(migrations.Migration):

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('contenttypes', '0002_remove_content_type_name'),
        ('outbox', '0001_initial'),
    ]

    operations = [
        migrations.RenameModel('Effect', 'Task'),
        migrations.RenameModel('Beat', 'PeriodicRun'),
        migrations.RenameField('Task', 'once', 'at_most_once'),
        migrations.RenameIndex('Task', new_name='task_due', old_name='effect_due'),
        migrations.RenameIndex('Task', new_name='task_by_status', old_name='effect_by_status'),
        migrations.AlterModelOptions(
            'Task',
            options={'permissions': [('requeue_task', 'Can do tasks again')], 'verbose_name': 'task', 'verbose_name_plural': 'tasks'},
        ),
        migrations.RunPython(rename_permissions, migrations.RunPython.noop),
    ]
