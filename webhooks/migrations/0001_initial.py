import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('tenants', '0001_anew'),
    ]

    operations = [
        migrations.CreateModel(
            name='Stream',
            fields=[
                ('subject', models.CharField(max_length=40, primary_key=True, serialize=False)),
                ('version', models.PositiveBigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='Endpoint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('partner', models.CharField(db_index=True, editable=False, max_length=16, verbose_name='partner')),
                ('url', models.CharField(max_length=500, verbose_name='address')),
                ('events', models.JSONField(blank=True, default=list, help_text='None chosen: all of them.', verbose_name='events')),
                ('contact_email', models.EmailField(blank=True, max_length=254, verbose_name='who hears when we stop sending')),
                ('language', models.CharField(choices=[('en', 'English'), ('bg', 'Български')], default='en', max_length=2, verbose_name='language')),
                ('salt', models.CharField(editable=False, max_length=32)),
                ('previous_salt', models.CharField(blank=True, editable=False, max_length=32)),
                ('previous_until', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='old secret signs along until')),
                ('failures', models.PositiveIntegerField(default=0, editable=False, verbose_name='failures in a row')),
                ('failing_since', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='failing since')),
                ('retry_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='next attempt')),
                ('disabled_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='disabled')),
                ('last_problem', models.CharField(blank=True, editable=False, max_length=100, verbose_name='last failure')),
                ('delivered_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='last delivery')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='created')),
            ],
            options={
                'verbose_name': 'webhook endpoint',
                'verbose_name_plural': 'webhook endpoints',
                'constraints': [models.UniqueConstraint(fields=('partner', 'url'), name='one_endpoint_per_partner_and_address')],
            },
        ),
        migrations.CreateModel(
            name='Event',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('message_id', models.CharField(max_length=40, unique=True, verbose_name='id')),
                ('key', models.CharField(editable=False, max_length=100, unique=True)),
                ('type', models.CharField(max_length=40, verbose_name='event')),
                ('subject', models.CharField(max_length=40, verbose_name='subject')),
                ('version', models.PositiveBigIntegerField(verbose_name='version')),
                ('at', models.DateTimeField(db_index=True, verbose_name='when')),
                ('data', models.JSONField(verbose_name='what')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.tenant', verbose_name='tenant')),
            ],
            options={
                'verbose_name': 'event',
                'verbose_name_plural': 'events',
            },
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('WAITING', 'waiting'), ('DELIVERED', 'delivered'), ('FAILED', 'given up')], default='WAITING', max_length=9, verbose_name='status')),
                ('attempts', models.PositiveIntegerField(default=0, verbose_name='attempts')),
                ('problem', models.CharField(blank=True, max_length=100, verbose_name='last failure')),
                ('tried_at', models.DateTimeField(blank=True, null=True, verbose_name='last attempt')),
                ('delivered_at', models.DateTimeField(blank=True, null=True, verbose_name='delivered')),
                ('endpoint', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='webhooks.endpoint', verbose_name='endpoint')),
                ('event', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='webhooks.event', verbose_name='event')),
            ],
            options={
                'verbose_name': 'delivery',
                'verbose_name_plural': 'deliveries',
            },
        ),
        migrations.AddConstraint(
            model_name='event',
            constraint=models.UniqueConstraint(fields=('subject', 'version'), name='one_event_per_version'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(fields=['endpoint', 'status', 'id'], name='delivery_by_status'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.UniqueConstraint(fields=('endpoint', 'event'), name='one_delivery_per_endpoint_and_event'),
        ),
    ]
