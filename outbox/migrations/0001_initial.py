from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Beat',
            fields=[
                ('name', models.CharField(max_length=50, primary_key=True, serialize=False)),
                ('next_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='Effect',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=100, unique=True, verbose_name='key')),
                ('kind', models.CharField(max_length=50, verbose_name='kind')),
                ('payload', models.JSONField(default=dict, verbose_name='what')),
                ('status', models.CharField(choices=[('WAITING', 'waiting'), ('DONE', 'done'), ('GIVEN_UP', 'given up'), ('STUCK', 'stuck')], default='WAITING', max_length=8, verbose_name='status')),
                ('once', models.BooleanField(default=False, editable=False)),
                ('run_at', models.DateTimeField(verbose_name='next attempt')),
                ('failures', models.PositiveIntegerField(default=0, verbose_name='failures in a row')),
                ('outages', models.PositiveIntegerField(db_default=0, default=0, verbose_name='tries in an outage')),
                ('crashes', models.PositiveIntegerField(db_default=0, default=0, verbose_name='workers that it ended')),
                ('last_failure', models.CharField(blank=True, max_length=200, verbose_name='last failure')),
                ('fence', models.PositiveBigIntegerField(default=0, editable=False)),
                ('leased_until', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='leased until')),
                ('created_at', models.DateTimeField(verbose_name='created')),
                ('finished_at', models.DateTimeField(blank=True, null=True, verbose_name='finished')),
            ],
            options={
                'verbose_name': 'effect',
                'verbose_name_plural': 'effects',
                'permissions': [('requeue_effect', 'Can do effects again')],
                'indexes': [models.Index(condition=models.Q(('status', 'WAITING')), fields=['run_at', 'id'], name='effect_due'), models.Index(fields=['status', 'finished_at'], name='effect_by_status')],
            },
        ),
    ]
