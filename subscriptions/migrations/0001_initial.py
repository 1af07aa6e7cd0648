import common.fields
import datetime
import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('billing', '0001_initial'),
        ('tenants', '0001_anew'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Subscription',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('external_id', models.CharField(blank=True, max_length=100, verbose_name='subscription id')),
                ('base_status', models.CharField(choices=[('ACTIVE', 'active'), ('SUSPENDED', 'suspended'), ('CANCELING', 'canceling'), ('EXPIRED', 'expired'), ('DISABLED', 'disabled'), ('DELETED', 'deleted')], default='ACTIVE', max_length=10, verbose_name='status of record')),
                ('is_trial', models.BooleanField(default=False, verbose_name='trial')),
                ('channel', models.CharField(choices=[('DIRECT', 'bought directly'), ('PARTNER', 'sold by a partner'), ('PREPAID', 'product key')], default='DIRECT', max_length=8, verbose_name='channel')),
                ('partner_name', models.CharField(blank=True, max_length=200, verbose_name='partner')),
                ('purchased_licenses', models.PositiveIntegerField(default=0, verbose_name='purchased licenses')),
                ('period_start', models.DateTimeField(blank=True, null=True, verbose_name='period start')),
                ('period_end', models.DateTimeField(blank=True, null=True, verbose_name='period end')),
                ('anchored_at', models.DateTimeField(blank=True, null=True, verbose_name='anchor of its periods')),
                ('term_months', models.PositiveSmallIntegerField(blank=True, null=True, verbose_name='term in months')),
                ('renews', models.BooleanField(default=True, verbose_name='renews by itself')),
                ('unit_price', models.BigIntegerField(blank=True, null=True, verbose_name='price of a license, minor units')),
                ('canceled_mode', models.CharField(choices=[('IMMEDIATE', 'immediately'), ('AT_PERIOD_END', 'at the end of the period')], editable=False, max_length=13, null=True, verbose_name='canceled')),
                ('ends_at', models.DateTimeField(editable=False, null=True, verbose_name='ends')),
                ('agreement', models.OneToOneField(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='subscription', to='billing.agreement')),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='subscriptions', to='tenants.tenant', verbose_name='tenant')),
            ],
            options={
                'verbose_name': 'subscription',
                'verbose_name_plural': 'subscriptions',
                'permissions': [('cancel_for_customer', 'Can cancel for a customer, whatever the license count'), ('override_quote', 'Can settle on another amount than the rules give')],
            },
        ),
        migrations.CreateModel(
            name='Plan',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('part_number', models.CharField(max_length=200, unique=True, verbose_name='part number')),
                ('name', models.CharField(blank=True, max_length=200, verbose_name='name')),
                ('search_key', common.fields.SearchKeyField(editable=False, of=('name', 'part_number'))),
            ],
            options={
                'verbose_name': 'plan',
                'verbose_name_plural': 'plans',
            },
        ),
        migrations.CreateModel(
            name='CancellationPolicy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('version', models.PositiveIntegerField(editable=False, verbose_name='version')),
                ('in_force', models.BooleanField(default=True, editable=False, verbose_name='in force')),
                ('online_license_limit', models.PositiveIntegerField(default=25, help_text='Fewer assigned licenses than this cancel online (or as many, if the limit is inclusive).', validators=[django.core.validators.MaxValueValidator(1000000)], verbose_name='online license limit')),
                ('limit_is_inclusive', models.BooleanField(default=False, verbose_name='limit is inclusive')),
                ('proration_convention', models.CharField(choices=[('ELAPSED_24H', 'whole 24-hour days since the start'), ('CALENDAR_DAY', 'calendar days, the cancel day unused'), ('CALENDAR_DAY_INCLUSIVE', 'calendar days, the cancel day used'), ('SECOND', 'seconds')], default='ELAPSED_24H', max_length=22, verbose_name='proration')),
                ('full_refund_hours', models.PositiveIntegerField(blank=True, help_text="From the start of each charge's period.", null=True, verbose_name='full refund, hours')),
                ('prorated_refund_hours', models.PositiveIntegerField(blank=True, help_text='After that nothing comes back.', null=True, verbose_name='prorated refund, hours')),
                ('created_at', models.DateTimeField(verbose_name='created')),
                ('created_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('tenant', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='policies', to='tenants.tenant', verbose_name='tenant')),
            ],
            options={
                'verbose_name': 'cancellation policy',
                'verbose_name_plural': 'cancellation policies',
            },
        ),
        migrations.CreateModel(
            name='DirectoryGroup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=256, verbose_name='name')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='directory_groups', to='tenants.tenant', verbose_name='tenant')),
            ],
            options={
                'verbose_name': 'directory group',
                'verbose_name_plural': 'directory groups',
            },
        ),
        migrations.CreateModel(
            name='DirectoryUser',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('principal_name', models.CharField(max_length=320, verbose_name='user principal name')),
                ('principal_key', models.CharField(editable=False, max_length=320)),
                ('display_name', models.CharField(blank=True, max_length=320, verbose_name='display name')),
                ('search_key', common.fields.SearchKeyField(editable=False, of=('display_name', 'principal_name'))),
                ('last_active_at', models.DateTimeField(blank=True, null=True, verbose_name='last active')),
                ('is_blocked', models.BooleanField(default=False, verbose_name='blocked')),
                ('deleted_at', models.DateTimeField(blank=True, null=True, verbose_name='soft-deleted')),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='directory_users', to='tenants.tenant', verbose_name='tenant')),
            ],
            options={
                'verbose_name': 'directory user',
                'verbose_name_plural': 'directory users',
            },
        ),
        migrations.CreateModel(
            name='IdempotencyRecord',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('operation', models.CharField(max_length=32)),
                ('key', models.CharField(max_length=255)),
                ('input_digest', models.CharField(max_length=64)),
                ('answer', models.JSONField()),
                ('created_at', models.DateTimeField(db_index=True)),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
        ),
        migrations.CreateModel(
            name='LicenseTally',
            fields=[
                ('subscription', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='tally', serialize=False, to='subscriptions.subscription')),
                ('assigned', models.IntegerField(default=0)),
                ('removable', models.IntegerField(default=0)),
                ('by_group', models.IntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='License',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('is_direct', models.BooleanField(default=False, verbose_name='direct')),
                ('is_inherited', models.BooleanField(default=False, verbose_name='by group')),
                ('assigned_at', models.DateTimeField(blank=True, null=True, verbose_name='assigned')),
                ('removed_at', models.DateTimeField(blank=True, null=True, verbose_name='removed')),
                ('groups', models.ManyToManyField(blank=True, related_name='licenses', to='subscriptions.directorygroup', verbose_name='groups')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='licenses', to='subscriptions.directoryuser', verbose_name='user')),
                ('subscription', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='licenses', to='subscriptions.subscription', verbose_name='subscription')),
            ],
            options={
                'verbose_name': 'license',
                'verbose_name_plural': 'licenses',
            },
        ),
        migrations.CreateModel(
            name='Cancellation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reference', models.CharField(max_length=16, unique=True, verbose_name='reference')),
                ('mode', models.CharField(choices=[('IMMEDIATE', 'immediately'), ('AT_PERIOD_END', 'at the end of the period')], max_length=13, verbose_name='mode')),
                ('undone_at', models.DateTimeField(blank=True, null=True, verbose_name='undone')),
                ('requested_at', models.DateTimeField(verbose_name='requested')),
                ('by_staff', models.BooleanField(default=False, verbose_name='by staff')),
                ('staff_reason', models.CharField(blank=True, max_length=500, verbose_name='why staff did it')),
                ('customer_language', models.CharField(blank=True, editable=False, max_length=2)),
                ('effective_at', models.DateTimeField(verbose_name='effective')),
                ('undo_until', models.DateTimeField(verbose_name='undo until')),
                ('access_ends_at', models.DateTimeField(verbose_name='access ends')),
                ('data_available_until', models.DateTimeField(verbose_name='data available until')),
                ('data_erased_by', models.DateTimeField(verbose_name='data erased by')),
                ('priced_at', models.DateTimeField(verbose_name='priced')),
                ('no_refund_reason', models.CharField(blank=True, choices=[('PERIOD_END', 'it ends with the paid period'), ('TRIAL', 'a trial costs nothing'), ('PREPAID', 'paid with a product key'), ('WINDOW_CLOSED', 'the refund window is closed'), ('FULLY_USED', 'what was paid is used up'), ('ALREADY_REFUNDED', 'already refunded'), ('NOTHING_SETTLED', 'nothing was paid yet'), ('NO_CHARGE_ON_RECORD', 'no charge on record'), ('AGREED', 'agreed with support')], max_length=20, verbose_name='why no refund')),
                ('quote', models.JSONField(verbose_name='quote as shown')),
                ('facts', models.JSONField(verbose_name='facts')),
                ('licenses_30_days_before', models.PositiveIntegerField(verbose_name='licenses 30 days before')),
                ('language', models.CharField(max_length=8, verbose_name='language')),
                ('feedback', models.CharField(blank=True, choices=[('TOO_EXPENSIVE', 'too expensive'), ('MISSING_FEATURES', 'missing features'), ('SWITCHED_SERVICE', 'switched to another service'), ('UNUSED', 'not used'), ('CUSTOMER_SERVICE', 'customer service'), ('TOO_COMPLEX', 'too complex'), ('LOW_QUALITY', 'low quality'), ('OTHER', 'other')], max_length=20, verbose_name='feedback')),
                ('comment', models.TextField(blank=True, verbose_name='comment')),
                ('customer', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='for whom')),
                ('refunds', models.ManyToManyField(blank=True, related_name='cancellations', to='billing.refund', verbose_name='refunds')),
                ('requested_by_token', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='tenants.partnertoken', verbose_name='partner token')),
                ('requested_by_user', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='person')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='cancellations', to='tenants.tenant', verbose_name='tenant')),
                ('policy', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='subscriptions.cancellationpolicy', verbose_name='policy')),
                ('subscription', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='cancellations', to='subscriptions.subscription', verbose_name='subscription')),
            ],
            options={
                'verbose_name': 'cancellation',
                'verbose_name_plural': 'cancellations',
            },
        ),
        migrations.AddField(
            model_name='subscription',
            name='plan',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='subscriptions', to='subscriptions.plan', verbose_name='plan'),
        ),
        migrations.AddConstraint(
            model_name='cancellationpolicy',
            constraint=models.UniqueConstraint(fields=('tenant', 'version'), name='one_policy_per_tenant_and_version'),
        ),
        migrations.AddConstraint(
            model_name='cancellationpolicy',
            constraint=models.UniqueConstraint(condition=models.Q(('tenant', None)), fields=('version',), name='one_default_policy_per_version'),
        ),
        migrations.AddConstraint(
            model_name='cancellationpolicy',
            constraint=models.UniqueConstraint(condition=models.Q(('in_force', True), ('tenant__isnull', False)), fields=('tenant',), name='one_policy_in_force_per_tenant'),
        ),
        migrations.AddConstraint(
            model_name='cancellationpolicy',
            constraint=models.UniqueConstraint(condition=models.Q(('in_force', True), ('tenant', None)), fields=('in_force',), name='one_default_policy_in_force'),
        ),
        migrations.AddConstraint(
            model_name='cancellationpolicy',
            constraint=models.CheckConstraint(condition=models.Q(('online_license_limit__gte', 1)), name='license_limit_is_at_least_one'),
        ),
        migrations.AddConstraint(
            model_name='directorygroup',
            constraint=models.UniqueConstraint(fields=('tenant', 'name'), name='one_group_per_name'),
        ),
        migrations.AddConstraint(
            model_name='directoryuser',
            constraint=models.UniqueConstraint(fields=('tenant', 'principal_key'), name='one_user_per_principal_name'),
        ),
        migrations.AddConstraint(
            model_name='idempotencyrecord',
            constraint=models.UniqueConstraint(fields=('tenant', 'operation', 'key'), name='one_answer_per_idempotency_key'),
        ),
        migrations.AddConstraint(
            model_name='license',
            constraint=models.UniqueConstraint(fields=('subscription', 'user'), name='one_license_per_user_and_subscription'),
        ),
        migrations.AddConstraint(
            model_name='cancellation',
            constraint=models.UniqueConstraint(condition=models.Q(('undone_at', None)), fields=('subscription',), name='one_cancellation_in_force_per_subscription'),
        ),
        migrations.AddIndex(
            model_name='subscription',
            index=models.Index(fields=['tenant', '-id'], name='subscription_newest_first'),
        ),
        migrations.AddIndex(
            model_name='subscription',
            index=models.Index(fields=['tenant', 'plan'], name='subscription_by_product'),
        ),
        migrations.AddConstraint(
            model_name='subscription',
            constraint=models.UniqueConstraint(condition=models.Q(('external_id', ''), _negated=True), fields=('tenant', 'external_id'), name='one_subscription_per_external_id'),
        ),
        migrations.AddConstraint(
            model_name='subscription',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('canceled_mode', None), ('ends_at', None)), models.Q(('canceled_mode__isnull', False), ('ends_at__isnull', False)), _connector='OR'), name='canceled_subscription_has_an_end'),
        ),
        migrations.AddConstraint(
            model_name='subscription',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('period_end', None), ('period_start', None)), ('period_start__lt', models.F('period_end')), _connector='OR'), name='subscription_period_is_forward'),
        ),
        migrations.AddConstraint(
            model_name='subscription',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('period_end', None), ('period_start', None)), models.Q(('period_end__lte', datetime.datetime(2100, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)), ('period_start__gte', datetime.datetime(2000, 1, 1, 0, 0, tzinfo=datetime.timezone.utc))), _connector='OR'), name='subscription_period_is_in_bounds'),
        ),
        migrations.AddConstraint(
            model_name='subscription',
            constraint=models.CheckConstraint(condition=models.Q(('term_months', None), models.Q(('term_months__gte', 1), ('term_months__lte', 120)), _connector='OR'), name='term_is_between_a_month_and_ten_years'),
        ),
    ]
