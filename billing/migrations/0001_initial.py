import datetime
import django.db.models.deletion
import django.utils.timezone
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('tenants', '0001_anew'),
    ]

    operations = [
        migrations.CreateModel(
            name='Agreement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('currency', models.CharField(choices=[('AED', 'AED'), ('AFN', 'AFN'), ('ALL', 'ALL'), ('AMD', 'AMD'), ('ANG', 'ANG'), ('AOA', 'AOA'), ('ARS', 'ARS'), ('AUD', 'AUD'), ('AWG', 'AWG'), ('AZN', 'AZN'), ('BAM', 'BAM'), ('BBD', 'BBD'), ('BDT', 'BDT'), ('BGN', 'BGN'), ('BHD', 'BHD'), ('BIF', 'BIF'), ('BMD', 'BMD'), ('BND', 'BND'), ('BOB', 'BOB'), ('BOV', 'BOV'), ('BRL', 'BRL'), ('BSD', 'BSD'), ('BTN', 'BTN'), ('BWP', 'BWP'), ('BYN', 'BYN'), ('BZD', 'BZD'), ('CAD', 'CAD'), ('CDF', 'CDF'), ('CHE', 'CHE'), ('CHF', 'CHF'), ('CHW', 'CHW'), ('CLF', 'CLF'), ('CLP', 'CLP'), ('CNY', 'CNY'), ('COP', 'COP'), ('COU', 'COU'), ('CRC', 'CRC'), ('CUP', 'CUP'), ('CVE', 'CVE'), ('CZK', 'CZK'), ('DJF', 'DJF'), ('DKK', 'DKK'), ('DOP', 'DOP'), ('DZD', 'DZD'), ('EGP', 'EGP'), ('ERN', 'ERN'), ('ETB', 'ETB'), ('EUR', 'EUR'), ('FJD', 'FJD'), ('FKP', 'FKP'), ('GBP', 'GBP'), ('GEL', 'GEL'), ('GHS', 'GHS'), ('GIP', 'GIP'), ('GMD', 'GMD'), ('GNF', 'GNF'), ('GTQ', 'GTQ'), ('GYD', 'GYD'), ('HKD', 'HKD'), ('HNL', 'HNL'), ('HTG', 'HTG'), ('HUF', 'HUF'), ('IDR', 'IDR'), ('ILS', 'ILS'), ('INR', 'INR'), ('IQD', 'IQD'), ('IRR', 'IRR'), ('ISK', 'ISK'), ('JMD', 'JMD'), ('JOD', 'JOD'), ('JPY', 'JPY'), ('KES', 'KES'), ('KGS', 'KGS'), ('KHR', 'KHR'), ('KMF', 'KMF'), ('KPW', 'KPW'), ('KRW', 'KRW'), ('KWD', 'KWD'), ('KYD', 'KYD'), ('KZT', 'KZT'), ('LAK', 'LAK'), ('LBP', 'LBP'), ('LKR', 'LKR'), ('LRD', 'LRD'), ('LSL', 'LSL'), ('LYD', 'LYD'), ('MAD', 'MAD'), ('MDL', 'MDL'), ('MGA', 'MGA'), ('MKD', 'MKD'), ('MMK', 'MMK'), ('MNT', 'MNT'), ('MOP', 'MOP'), ('MRU', 'MRU'), ('MUR', 'MUR'), ('MVR', 'MVR'), ('MWK', 'MWK'), ('MXN', 'MXN'), ('MXV', 'MXV'), ('MYR', 'MYR'), ('MZN', 'MZN'), ('NAD', 'NAD'), ('NGN', 'NGN'), ('NIO', 'NIO'), ('NOK', 'NOK'), ('NPR', 'NPR'), ('NZD', 'NZD'), ('OMR', 'OMR'), ('PAB', 'PAB'), ('PEN', 'PEN'), ('PGK', 'PGK'), ('PHP', 'PHP'), ('PKR', 'PKR'), ('PLN', 'PLN'), ('PYG', 'PYG'), ('QAR', 'QAR'), ('RON', 'RON'), ('RSD', 'RSD'), ('RUB', 'RUB'), ('RWF', 'RWF'), ('SAR', 'SAR'), ('SBD', 'SBD'), ('SCR', 'SCR'), ('SDG', 'SDG'), ('SEK', 'SEK'), ('SGD', 'SGD'), ('SHP', 'SHP'), ('SLE', 'SLE'), ('SOS', 'SOS'), ('SRD', 'SRD'), ('SSP', 'SSP'), ('STN', 'STN'), ('SVC', 'SVC'), ('SYP', 'SYP'), ('SZL', 'SZL'), ('THB', 'THB'), ('TJS', 'TJS'), ('TMT', 'TMT'), ('TND', 'TND'), ('TOP', 'TOP'), ('TRY', 'TRY'), ('TTD', 'TTD'), ('TWD', 'TWD'), ('TZS', 'TZS'), ('UAH', 'UAH'), ('UGX', 'UGX'), ('USD', 'USD'), ('USN', 'USN'), ('UYI', 'UYI'), ('UYU', 'UYU'), ('UYW', 'UYW'), ('UZS', 'UZS'), ('VED', 'VED'), ('VES', 'VES'), ('VND', 'VND'), ('VUV', 'VUV'), ('WST', 'WST'), ('XAF', 'XAF'), ('XCD', 'XCD'), ('XCG', 'XCG'), ('XOF', 'XOF'), ('XPF', 'XPF'), ('YER', 'YER'), ('ZAR', 'ZAR'), ('ZMW', 'ZMW'), ('ZWG', 'ZWG')], max_length=3, verbose_name='currency')),
                ('provider', models.CharField(blank=True, max_length=20, verbose_name='provider')),
                ('external_id', models.CharField(blank=True, max_length=100, verbose_name='id at the provider')),
                ('ending', models.CharField(choices=[('NONE', 'goes on'), ('AT_PERIOD_END', 'stops at the end of the period'), ('NOW', 'stops at once')], default='NONE', max_length=13, verbose_name='ending')),
                ('ends_for_good_at', models.DateTimeField(blank=True, null=True, verbose_name='cannot be taken back from')),
                ('told', models.CharField(blank=True, choices=[('NONE', 'goes on'), ('AT_PERIOD_END', 'stops at the end of the period'), ('NOW', 'stops at once'), ('', 'being told')], default='NONE', max_length=13, verbose_name='confirmed by the provider')),
            ],
            options={
                'verbose_name': 'billing agreement',
                'verbose_name_plural': 'billing agreements',
            },
        ),
        migrations.CreateModel(
            name='EndingTerms',
            fields=[
                ('agreement', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='ending_terms', serialize=False, to='billing.agreement')),
                ('decided_at', models.DateTimeField()),
                ('priced_at', models.DateTimeField()),
                ('effective_at', models.DateTimeField()),
                ('held_until', models.DateTimeField()),
                ('anchored_at', models.DateTimeField()),
                ('time_zone', models.CharField(max_length=63)),
                ('prorates', models.BooleanField()),
                ('convention', models.CharField(max_length=22)),
                ('full_hours', models.PositiveIntegerField(null=True)),
                ('prorated_hours', models.PositiveIntegerField(null=True)),
                ('agreed', models.BooleanField()),
            ],
            options={
                'verbose_name': 'terms of an ending',
                'verbose_name_plural': 'terms of endings',
            },
        ),
        migrations.CreateModel(
            name='BillingAccount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('payment_methods_known', models.BooleanField(default=False, help_text='Off: nobody knows whether there is one, and trials are treated as if there were.', verbose_name='payment methods known')),
                ('tenant', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='billing_account', to='tenants.tenant', verbose_name='tenant')),
            ],
            options={
                'verbose_name': 'billing account',
                'verbose_name_plural': 'billing accounts',
            },
        ),
        migrations.AddField(
            model_name='agreement',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='agreements', to='billing.billingaccount', verbose_name='billing account'),
        ),
        migrations.CreateModel(
            name='Charge',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('external_id', models.CharField(max_length=100, verbose_name='charge id')),
                ('description', models.CharField(max_length=200, verbose_name='description')),
                ('seats', models.PositiveIntegerField(default=1, verbose_name='seats')),
                ('period_start', models.DateTimeField(verbose_name='period start')),
                ('period_end', models.DateTimeField(verbose_name='period end')),
                ('charged_at', models.DateTimeField(verbose_name='charged')),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='recorded')),
                ('charged', models.BigIntegerField(verbose_name='charged, minor units')),
                ('tax', models.BigIntegerField(default=0, verbose_name='of that tax')),
                ('settled', models.BigIntegerField(default=0, verbose_name='settled')),
                ('in_flight', models.BigIntegerField(default=0, verbose_name='in flight')),
                ('corrected', models.BigIntegerField(default=0, verbose_name='corrected')),
                ('corrected_tax', models.BigIntegerField(default=0, verbose_name='of that tax')),
                ('refunded', models.BigIntegerField(default=0, verbose_name='refunded')),
                ('agreement', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='charges', to='billing.agreement', verbose_name='billing agreement')),
            ],
            options={
                'verbose_name': 'charge',
                'verbose_name_plural': 'charges',
            },
        ),
        migrations.CreateModel(
            name='Correction',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('external_id', models.CharField(max_length=100, verbose_name='correction id')),
                ('amount', models.BigIntegerField(verbose_name='amount, minor units')),
                ('tax', models.BigIntegerField(default=0, verbose_name='of that tax')),
                ('corrected_at', models.DateTimeField(verbose_name='corrected')),
                ('charge', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='corrections', to='billing.charge', verbose_name='charge')),
            ],
            options={
                'verbose_name': 'correction',
                'verbose_name_plural': 'corrections',
            },
        ),
        migrations.CreateModel(
            name='LedgerEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=50, unique=True, verbose_name='key')),
                ('amount', models.BigIntegerField(verbose_name='amount, minor units')),
                ('text', models.CharField(max_length=200, verbose_name='text')),
                ('booked_at', models.DateTimeField(verbose_name='booked')),
                ('agreement', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='ledger_entries', to='billing.agreement', verbose_name='billing agreement')),
                ('charge', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='ledger_entries', to='billing.charge', verbose_name='charge')),
            ],
            options={
                'verbose_name': 'ledger entry',
                'verbose_name_plural': 'ledger entries',
            },
        ),
        migrations.CreateModel(
            name='PaymentMethod',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('label', models.CharField(help_text='For example: Visa ending in 4242.', max_length=100, verbose_name='label')),
                ('is_active', models.BooleanField(default=True, verbose_name='active')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='payment_methods', to='billing.billingaccount', verbose_name='billing account')),
            ],
            options={
                'verbose_name': 'payment method',
                'verbose_name_plural': 'payment methods',
            },
        ),
        migrations.CreateModel(
            name='Refund',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('amount', models.BigIntegerField(verbose_name='amount, minor units')),
                ('status', models.CharField(choices=[('HELD', 'held until the undo closes'), ('PENDING', 'pending'), ('SUBMITTED', 'submitted'), ('SUCCEEDED', 'succeeded'), ('PARTIALLY_SUCCEEDED', 'partially succeeded'), ('FAILED', 'failed'), ('VOIDED', 'voided'), ('SETTLED_MANUALLY', 'settled by hand')], max_length=20, verbose_name='status')),
                ('priced_at', models.DateTimeField(verbose_name='priced')),
                ('requested_at', models.DateTimeField(verbose_name='requested')),
                ('held_until', models.DateTimeField(verbose_name='held until')),
                ('due_by', models.DateField(verbose_name='due by')),
                ('settled_at', models.DateTimeField(blank=True, null=True, verbose_name='settled')),
                ('provider', models.CharField(max_length=20, verbose_name='provider')),
                ('reason', models.CharField(blank=True, max_length=300, verbose_name='reason')),
                ('by_hand', models.BooleanField(default=False, editable=False, verbose_name='by hand')),
                ('repriced_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='priced again')),
                ('found_late_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='found late')),
                ('agreement', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='refunds', to='billing.agreement', verbose_name='billing agreement')),
            ],
            options={
                'verbose_name': 'refund',
                'verbose_name_plural': 'refunds',
                'permissions': [('settle_refund', 'Can retry, settle by hand and make refunds')],
            },
        ),
        migrations.CreateModel(
            name='RefundPart',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('amount', models.BigIntegerField(verbose_name='amount, minor units')),
                ('tax', models.BigIntegerField(default=0, verbose_name='of that tax')),
                ('amount_by_rule', models.BigIntegerField(editable=False, null=True, verbose_name='by the facts since, minor units')),
                ('status', models.CharField(choices=[('WAITING', 'waiting'), ('SENT', 'sent'), ('SUCCEEDED', 'succeeded'), ('FAILED', 'failed')], default='WAITING', max_length=9, verbose_name='status')),
                ('retries', models.PositiveSmallIntegerField(default=0, verbose_name='retries')),
                ('reference', models.CharField(blank=True, max_length=100, verbose_name='reference of the provider')),
                ('failure', models.CharField(blank=True, max_length=200, verbose_name='failure')),
                ('charge', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='refund_parts', to='billing.charge', verbose_name='charge')),
                ('refund', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='parts', to='billing.refund', verbose_name='refund')),
            ],
            options={
                'verbose_name': 'refund part',
                'verbose_name_plural': 'refund parts',
            },
        ),
        migrations.AddConstraint(
            model_name='agreement',
            constraint=models.CheckConstraint(condition=models.Q(('external_id', ''), models.Q(('provider', ''), _negated=True), _connector='OR'), name='agreement_id_is_of_a_provider'),
        ),
        migrations.AddConstraint(
            model_name='agreement',
            constraint=models.UniqueConstraint(condition=models.Q(('external_id', ''), _negated=True), fields=('provider', 'external_id'), name='one_agreement_per_provider_id'),
        ),
        migrations.AddIndex(
            model_name='charge',
            index=models.Index(fields=['agreement', 'period_end'], name='charge_by_period_end'),
        ),
        migrations.AddConstraint(
            model_name='charge',
            constraint=models.UniqueConstraint(fields=('agreement', 'external_id'), name='one_charge_per_external_id'),
        ),
        migrations.AddConstraint(
            model_name='charge',
            constraint=models.CheckConstraint(condition=models.Q(('period_start__lt', models.F('period_end'))), name='charge_period_is_forward'),
        ),
        migrations.AddConstraint(
            model_name='charge',
            constraint=models.CheckConstraint(condition=models.Q(('period_end__lte', datetime.datetime(2100, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)), ('period_start__gte', datetime.datetime(2000, 1, 1, 0, 0, tzinfo=datetime.timezone.utc))), name='charge_period_is_in_bounds'),
        ),
        migrations.AddConstraint(
            model_name='charge',
            constraint=models.CheckConstraint(condition=models.Q(('charged__gte', models.F('tax')), ('in_flight__gte', 0), ('settled__gte', 0), ('tax__gte', 0)), name='charge_amounts_are_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='charge',
            constraint=models.CheckConstraint(condition=models.Q(('settled__lte', models.F('charged'))), name='charge_settles_no_more_than_charged'),
        ),
        migrations.AddConstraint(
            model_name='charge',
            constraint=models.CheckConstraint(condition=models.Q(('corrected__gte', 0), ('corrected__lte', models.F('charged')), ('corrected_tax__gte', 0), ('corrected_tax__lte', models.F('corrected'))), name='charge_correction_is_within_charge'),
        ),
        migrations.AddConstraint(
            model_name='charge',
            constraint=models.CheckConstraint(condition=models.Q(('refunded__gte', 0), ('refunded__lte', models.F('settled'))), name='charge_refunds_no_more_than_settled'),
        ),
        migrations.AddConstraint(
            model_name='correction',
            constraint=models.UniqueConstraint(fields=('charge', 'external_id'), name='one_correction_per_external_id'),
        ),
        migrations.AddConstraint(
            model_name='correction',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0), ('tax__gte', 0)), name='correction_is_positive'),
        ),
        migrations.AddConstraint(
            model_name='ledgerentry',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='ledger_entry_is_positive'),
        ),
        migrations.AddIndex(
            model_name='refund',
            index=models.Index(fields=['status', 'due_by'], name='refund_by_status_and_due'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='refund_is_positive'),
        ),
        migrations.AddConstraint(
            model_name='refundpart',
            constraint=models.UniqueConstraint(fields=('refund', 'charge'), name='one_part_per_charge'),
        ),
        migrations.AddConstraint(
            model_name='refundpart',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0), ('tax__gte', 0)), name='refund_part_is_positive'),
        ),
    ]
