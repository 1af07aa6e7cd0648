import datetime
import desk.models
import django.core.validators
import django.db.models.deletion
import tenants.models
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('subscriptions', '0001_initial'),
        ('tenants', '0001_anew'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='OptOut',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(max_length=64, unique=True)),
                ('asked_at', models.DateTimeField(verbose_name='asked')),
            ],
            options={
                'verbose_name': 'number not to be called',
                'verbose_name_plural': 'numbers not to be called',
            },
        ),
        migrations.CreateModel(
            name='CallbackDesk',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('time_zone', models.CharField(default='Europe/Sofia', max_length=64, validators=[tenants.models.validate_time_zone], verbose_name='time zone')),
                ('country', models.CharField(default='BG', max_length=2, validators=[desk.models.validate_country], verbose_name='country of its holidays')),
                ('days_off', models.TextField(blank=True, help_text="Besides the country's holidays: one date a line, for example 2026-12-31.", validators=[desk.models.validate_days], verbose_name='own days off')),
                ('opens_at', models.TimeField(default=datetime.time(9, 0), verbose_name='opens')),
                ('closes_at', models.TimeField(default=datetime.time(18, 0), verbose_name='closes')),
                ('keep_contact_days', models.PositiveSmallIntegerField(default=30, verbose_name='days that contact data is kept after a request closes')),
                ('answer_within_hours', models.PositiveSmallIntegerField(default=4, help_text='For requests as soon as possible. After that, or after the chosen window, a call is overdue.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(40)], verbose_name='business hours until the first call')),
                ('window_minutes', models.PositiveSmallIntegerField(default=120, validators=[django.core.validators.MinValueValidator(15), django.core.validators.MaxValueValidator(480)], verbose_name='minutes in a window')),
                ('window_capacity', models.PositiveSmallIntegerField(default=4, validators=[django.core.validators.MinValueValidator(1)], verbose_name='calls per window')),
                ('regions', models.JSONField(blank=True, default=list, help_text='Country codes such as BG, DE; an empty list calls every country.', validators=[desk.models.validate_regions], verbose_name='countries it calls')),
            ],
            options={
                'verbose_name': 'callback desk',
                'verbose_name_plural': 'callback desk',
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='one_callback_desk'), models.CheckConstraint(condition=models.Q(('opens_at__lt', models.F('closes_at'))), name='desk_opens_before_it_closes')],
            },
        ),
        migrations.CreateModel(
            name='CallbackRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reference', models.CharField(max_length=16, unique=True, verbose_name='reference')),
                ('source', models.CharField(choices=[('graphql', 'API'), ('portal', 'portal page'), ('staff', 'staff')], max_length=8, verbose_name='source')),
                ('contact_name', models.CharField(blank=True, max_length=200, verbose_name='contact name')),
                ('phone', models.CharField(blank=True, db_index=True, max_length=16, verbose_name='phone')),
                ('phone_extension', models.CharField(blank=True, max_length=20, verbose_name='extension')),
                ('phone_as_typed', models.CharField(blank=True, max_length=50, verbose_name='phone as typed')),
                ('phone_is_valid', models.BooleanField(default=True, verbose_name='phone is in a known numbering range')),
                ('language', models.CharField(choices=[('en', 'English'), ('bg', 'Български')], max_length=2, verbose_name='language')),
                ('time_zone', models.CharField(max_length=64, verbose_name='time zone')),
                ('note', models.CharField(blank=True, max_length=500, verbose_name='note')),
                ('requested_at', models.DateTimeField(verbose_name='requested')),
                ('phone_given_at', models.DateTimeField(db_index=True, verbose_name='phone given')),
                ('credit_from', models.DateTimeField(verbose_name='credit counts from')),
                ('window_start', models.DateTimeField(blank=True, null=True, verbose_name='window start')),
                ('window_end', models.DateTimeField(blank=True, null=True, verbose_name='window end')),
                ('due_at', models.DateTimeField(verbose_name='due')),
                ('next_attempt_at', models.DateTimeField(blank=True, null=True, verbose_name='next attempt')),
                ('attempts', models.PositiveSmallIntegerField(default=0, verbose_name='attempts')),
                ('status', models.CharField(choices=[('NEW', 'new'), ('SCHEDULED', 'scheduled'), ('CLAIMED', 'claimed'), ('DONE', 'done'), ('UNREACHABLE', 'unreachable'), ('WITHDRAWN', 'withdrawn'), ('DO_NOT_CALL', 'do not call')], max_length=11, verbose_name='status')),
                ('waited_as', models.CharField(blank=True, choices=[('NEW', 'new'), ('SCHEDULED', 'scheduled'), ('CLAIMED', 'claimed'), ('DONE', 'done'), ('UNREACHABLE', 'unreachable'), ('WITHDRAWN', 'withdrawn'), ('DO_NOT_CALL', 'do not call')], editable=False, max_length=11)),
                ('last_outcome', models.CharField(blank=True, choices=[('NO_ANSWER', 'no answer'), ('BUSY', 'busy'), ('VOICEMAIL', 'voicemail left'), ('WRONG_NUMBER', 'wrong number'), ('CALL_LATER', 'reached, call later'), ('LANGUAGE_NEEDED', 'another language needed'), ('ASKED_NOT_TO_CALL', 'asked not to be called'), ('REACHED', 'reached'), ('RELEASED', 'released')], max_length=17, verbose_name='last outcome')),
                ('erased_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='contact erased')),
                ('claim_expires_at', models.DateTimeField(blank=True, null=True, verbose_name='claim expires')),
                ('closed_at', models.DateTimeField(blank=True, null=True, verbose_name='closed')),
                ('close_reason', models.CharField(blank=True, choices=[('CANCELED_BY_AGENT', 'canceled by agent'), ('CUSTOMER_KEEPS', 'the customer keeps it'), ('DIRECTED_ONLINE', 'directed online'), ('RESOLVED_ONLINE', 'resolved online'), ('WITHDRAWN_BY_CUSTOMER', 'withdrawn by the customer'), ('ASKED_NOT_TO_CALL', 'asked not to be called'), ('OTHER', 'other')], max_length=21, verbose_name='close reason')),
                ('cancellation', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='subscriptions.cancellation', verbose_name='cancellation')),
                ('claimed_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='agent')),
                ('preferred_agent', models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('requested_by_token', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='tenants.partnertoken', verbose_name='partner token')),
                ('requested_by_user', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='person')),
                ('subscription', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='callbacks', to='subscriptions.subscription', verbose_name='subscription')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='callbacks', to='tenants.tenant', verbose_name='tenant')),
            ],
            options={
                'verbose_name': 'callback request',
                'verbose_name_plural': 'callback requests',
                'permissions': [('work_callbacks', 'Can claim and close callback requests'), ('reassign_callbacks', 'Can hand callback requests to any agent, and close them'), ('erase_contact', 'Can erase contact data'), ('view_reports', 'Can see the reports of the callback desk')],
            },
        ),
        migrations.CreateModel(
            name='CallbackAttempt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField(verbose_name='number')),
                ('started_at', models.DateTimeField(verbose_name='started')),
                ('ended_at', models.DateTimeField(verbose_name='ended')),
                ('outcome', models.CharField(choices=[('NO_ANSWER', 'no answer'), ('BUSY', 'busy'), ('VOICEMAIL', 'voicemail left'), ('WRONG_NUMBER', 'wrong number'), ('CALL_LATER', 'reached, call later'), ('LANGUAGE_NEEDED', 'another language needed'), ('ASKED_NOT_TO_CALL', 'asked not to be called'), ('REACHED', 'reached'), ('RELEASED', 'released')], max_length=17, verbose_name='outcome')),
                ('note', models.CharField(blank=True, max_length=500, verbose_name='note')),
                ('next_attempt_at', models.DateTimeField(null=True, verbose_name='next attempt')),
                ('counts', models.BooleanField(verbose_name='counts')),
                ('agent', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='agent')),
                ('request', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='log', to='desk.callbackrequest', verbose_name='callback request')),
            ],
            options={
                'verbose_name': 'attempt',
                'verbose_name_plural': 'attempts',
            },
        ),
        migrations.AddIndex(
            model_name='callbackrequest',
            index=models.Index(fields=['status', 'due_at'], name='callback_by_due'),
        ),
        migrations.AddIndex(
            model_name='callbackrequest',
            index=models.Index(fields=['window_start'], name='callback_by_window'),
        ),
        migrations.AddIndex(
            model_name='callbackrequest',
            index=models.Index(fields=['closed_at', 'due_at', 'requested_at', 'id'], name='callback_queue'),
        ),
        migrations.AddIndex(
            model_name='callbackrequest',
            index=models.Index(condition=models.Q(('preferred_agent__isnull', False)), fields=['preferred_agent', 'closed_at', 'due_at', 'requested_at', 'id'], name='callback_by_preference'),
        ),
        migrations.AddConstraint(
            model_name='callbackrequest',
            constraint=models.UniqueConstraint(condition=models.Q(('status__in', ['NEW', 'SCHEDULED', 'CLAIMED', 'UNREACHABLE'])), fields=('subscription',), name='one_open_callback_per_subscription'),
        ),
        migrations.AddConstraint(
            model_name='callbackrequest',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('window_end', None), ('window_start', None)), ('window_start__lt', models.F('window_end')), _connector='OR'), name='callback_window_is_forward'),
        ),
        migrations.AddConstraint(
            model_name='callbackattempt',
            constraint=models.UniqueConstraint(fields=('request', 'number'), name='one_attempt_per_number'),
        ),
    ]
