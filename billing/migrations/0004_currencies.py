"""A charge has a currency of its own, and so have a refund and an entry: an agreement may outlive a currency."""

from django.db import migrations, models
from django.db.models import F, OuterRef, Subquery

import billing.models


def copy_currencies(apps, schema_editor):
    """Until now everything was in the currency of its agreement."""
    agreements = apps.get_model('billing', 'Agreement').objects.filter(pk=OuterRef('agreement_id'))
    for name in ('Charge', 'Refund', 'LedgerEntry'):
        apps.get_model('billing', name).objects.update(currency=Subquery(agreements.values('currency')[:1]))
    apps.get_model('billing', 'RefundPart').objects.update(promised=F('amount'))


CURRENCY = {'max_length': 3, 'verbose_name': 'currency', 'choices': billing.models.CURRENCIES}


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0003_returns_elsewhere'),
    ]

    operations = [
        migrations.AlterField('Agreement', 'currency', models.CharField(**CURRENCY)),
        *(
            migrations.AddField(name, 'currency', models.CharField(default='EUR', **CURRENCY), preserve_default=False)
            for name in ('Charge', 'Refund', 'LedgerEntry')
        ),
        migrations.AddField('RefundPart', 'promised', models.BigIntegerField(default=0, verbose_name='promised, minor units'), preserve_default=False),
        migrations.RunPython(copy_currencies, migrations.RunPython.noop),
    ]
