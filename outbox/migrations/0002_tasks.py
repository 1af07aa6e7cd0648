"""The words of the field: an effect is a task, a beat the next run of periodic work."""

from typing import Any

from django.db import migrations, models


def rename_permissions(apps: Any, _editor: Any) -> None:
    """Who may requeue may go on doing it: Django renames the content type of a model, and no permission."""
    permissions = apps.get_model("auth", "Permission").objects.filter(content_type__app_label="outbox")
    for permission in permissions.filter(codename__endswith="_effect"):
        permission.codename = permission.codename.removesuffix("_effect") + "_task"
        permission.save(update_fields=["codename"])


def rename_kinds(apps: Any, _editor: Any) -> None:
    """What waits is done by who does it now."""
    tasks = apps.get_model("outbox", "Task").objects
    for old, new in (("agreement.tell", "agreement.confirm_stop"), ("refund.settled", "refund.returned")):
        for task in tasks.filter(kind=old):
            task.kind, task.key = new, task.key.replace(f"{old}:", f"{new}:", 1)
            task.save(update_fields=["kind", "key"])


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
        migrations.RunPython(rename_kinds, migrations.RunPython.noop),
    ]
