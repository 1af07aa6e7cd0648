"""Somebody to sign in as, and a project that uses a subscription."""

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand

from portal_crm.models import Account, Project


class Command(BaseCommand):
    """``manage.py people contoso.example sub_7``: maria, whose password is her name twice."""

    help = "Makes the portal's demo account."

    def add_arguments(self, parser):
        """Whose, and what they use."""
        parser.add_argument("domain")
        parser.add_argument("subscription")

    def handle(self, *, domain, subscription, **_):
        """Repeating it changes nothing."""
        maria, new = User.objects.get_or_create(username="maria")
        if new:
            maria.set_password("mariamaria")
            maria.save()
        account, _made = Account.objects.get_or_create(domain=domain)
        account.people.add(maria)
        Project.objects.get_or_create(account=account, name="Website", subscription_id=subscription)
        self.stdout.write(f"maria of {domain} signs in with mariamaria; her Website uses {subscription}.")
