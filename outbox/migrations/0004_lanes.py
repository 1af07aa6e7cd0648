"""Lanes: what waits for staff or a worker gets its own. What is done keeps the default until it is forgotten."""

from typing import Any

from django.db import migrations, models

_LANES = {
    'MAIL': ['mail.account', 'mail.callback', 'mail.cancellation', 'mail.staff', 'webhook.disabled'],
    'WEBHOOKS': ['event.effective', 'webhook.deliver'],
    'LONG': ['reconcile'],
}


def set_lanes(apps: Any, _editor: Any) -> None:
    unfinished = apps.get_model('outbox', 'Task').objects.exclude(status='DONE')
    for lane, kinds in _LANES.items():
        unfinished.filter(kind__in=kinds).update(lane=lane)


class Migration(migrations.Migration):

    dependencies = [
        ('outbox', '0003_failing_since'),
    ]

    operations = [
        migrations.AddField(
            model_name='task',
            name='lane',
            field=models.CharField(choices=[('MONEY', 'money'), ('MAIL', 'mail'), ('WEBHOOKS', 'webhooks'), ('LONG', 'long runs')], db_default='MONEY', default='MONEY', max_length=8, verbose_name='lane'),
        ),
        migrations.RunPython(set_lanes, migrations.RunPython.noop),
        migrations.RemoveIndex(
            model_name='task',
            name='task_due',
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('status', 'WAITING')), fields=['lane', 'run_at', 'id'], name='task_due_in_lane'),
        ),
    ]
