"""The words of the field: what was paid, what was returned, and what a provider is told when an agreement ends."""

from django.db import migrations, models
from django.db.models import F, Q

from common.renames import rename_permissions


class Migration(migrations.Migration):

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('billing', '0001_initial'),
        ('contenttypes', '0002_remove_content_type_name'),
        ('tenants', '0001_anew'),
    ]

    operations = [
        # A constraint keeps the name that a column had.
        migrations.RemoveConstraint('Charge', 'charge_amounts_are_not_negative'),
        migrations.RemoveConstraint('Charge', 'charge_settles_no_more_than_charged'),
        migrations.RemoveConstraint('Charge', 'charge_refunds_no_more_than_settled'),
        migrations.RenameField('Charge', 'settled', 'paid'),
        migrations.RenameField('Refund', 'settled_at', 'returned_at'),
        migrations.RenameField('Agreement', 'ending', 'renewal_stop'),
        migrations.RenameField('Agreement', 'told', 'confirmed_stop'),
        migrations.RenameModel('EndingTerms', 'RenewalStopTerms'),
        migrations.AddConstraint(
            'Charge',
            models.CheckConstraint(
                condition=Q(tax__gte=0, charged__gte=F('tax'), paid__gte=0, in_flight__gte=0),
                name='charge_amounts_are_not_negative',
            ),
        ),
        migrations.AddConstraint(
            'Charge',
            models.CheckConstraint(condition=Q(paid__lte=F('charged')), name='charge_is_paid_no_more_than_charged'),
        ),
        migrations.AddConstraint(
            'Charge',
            models.CheckConstraint(
                condition=Q(refunded__gte=0, refunded__lte=F('paid')), name='charge_refunds_no_more_than_paid'
            ),
        ),
        migrations.AlterField(
            'Agreement',
            'renewal_stop',
            models.CharField(choices=[('NONE', 'goes on'), ('AT_PERIOD_END', 'stops at the end of the period'), ('NOW', 'stops at once')], default='NONE', max_length=13, verbose_name='renewal'),
        ),
        migrations.AlterField('Charge', 'paid', models.BigIntegerField(default=0, verbose_name='paid')),
        migrations.AlterField(
            'Refund', 'returned_at', models.DateTimeField(blank=True, null=True, verbose_name='returned')
        ),
        migrations.AlterField(
            'RenewalStopTerms',
            'agreement',
            models.OneToOneField(on_delete=models.PROTECT, primary_key=True, related_name='stop_terms', serialize=False, to='billing.agreement'),
        ),
        migrations.AlterModelOptions(
            'RenewalStopTerms', options={'verbose_name': 'terms of a stop', 'verbose_name_plural': 'terms of stops'}
        ),
        migrations.AlterField(
            'Agreement',
            'confirmed_stop',
            models.CharField(blank=True, choices=[('NONE', 'goes on'), ('AT_PERIOD_END', 'stops at the end of the period'), ('NOW', 'stops at once'), ('', 'being confirmed')], default='NONE', max_length=13, verbose_name='confirmed by the provider'),
        ),
        rename_permissions('billing', {'endingterms': 'renewalstopterms'}),
    ]
