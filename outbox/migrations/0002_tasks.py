"""The words of the field: an effect is a task, a beat the next run of periodic work."""

from typing import Any

from django.db import migrations

from common.renames import rename_permissions

KINDS = {"agreement.tell": "agreement.confirm_stop", "refund.settled": "refund.returned"}


def rename_kinds(apps: Any, kinds: dict[str, str]) -> None:
    """What waits is done by who does it now."""
    for old, new in kinds.items():
        for task in apps.get_model("outbox", "Task").objects.filter(kind=old):
            task.kind, task.key = new, task.key.replace(f"{old}:", f"{new}:", 1)
            task.save(update_fields=["kind", "key"])


class Migration(migrations.Migration):

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('contenttypes', '0002_remove_content_type_name'),
        ('outbox', '0001_initial'),
        ('tenants', '0001_anew'),
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
        rename_permissions('outbox', {'effect': 'task', 'beat': 'periodicrun'}),
        migrations.RunPython(
            lambda apps, _editor: rename_kinds(apps, KINDS),
            lambda apps, _editor: rename_kinds(apps, {new: old for old, new in KINDS.items()}),
        ),
    ]
