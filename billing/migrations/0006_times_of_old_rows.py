"""When what is there already was changed and sent: as near as its own columns say."""

from django.db import migrations
from django.db.models import F, OuterRef, Subquery


def fill(apps, schema_editor):
    Refund = apps.get_model('billing', 'Refund')
    RefundPart = apps.get_model('billing', 'RefundPart')
    Refund.objects.update(changed_at=F('requested_at'))
    Refund.objects.exclude(returned_at=None).update(changed_at=F('returned_at'))
    held_until = Refund.objects.filter(pk=OuterRef('refund')).values('held_until')
    RefundPart.objects.exclude(status='WAITING').update(sent_at=Subquery(held_until))


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0005_times'),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
