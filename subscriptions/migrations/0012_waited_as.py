from django.db import migrations, models
from django.db.models import Q

STATUSES = [
    ("NEW", "new"),
    ("SCHEDULED", "scheduled"),
    ("CLAIMED", "claimed"),
    ("DONE", "done"),
    ("UNREACHABLE", "unreachable"),
    ("WITHDRAWN", "withdrawn"),
    ("DO_NOT_CALL", "do not call"),
]


def know_the_past(apps, _schema_editor):
    """What is claimed now was what its row says; a number that was given since is not wrong any more."""
    rows = apps.get_model("subscriptions", "CallbackRequest").objects
    claimed = rows.filter(status="CLAIMED")
    claimed.update(waited_as="NEW")
    claimed.filter(Q(window_start__isnull=False) | Q(last_outcome="CALL_LATER")).update(waited_as="SCHEDULED")
    claimed.filter(attempts__gte=3, last_outcome__in=["NO_ANSWER", "BUSY", "VOICEMAIL"]).update(waited_as="UNREACHABLE")
    rows.filter(closed_at=None, last_outcome="WRONG_NUMBER", next_attempt_at__isnull=False).update(last_outcome="")


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0011_facts_in_bounds")]

    operations = [
        migrations.AddField(
            model_name="callbackrequest",
            name="waited_as",
            field=models.CharField(blank=True, choices=STATUSES, default="", editable=False, max_length=11),
            preserve_default=False,
        ),
        migrations.RunPython(know_the_past, migrations.RunPython.noop, elidable=True),
    ]
