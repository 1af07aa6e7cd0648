"""What the portal itself keeps."""

from django.contrib.auth.models import User
from django.db import models


class Account(models.Model):
    """A business that uses the portal. ``domain`` is what it is called in Wayout, too."""

    domain = models.CharField(max_length=253, unique=True)
    people = models.ManyToManyField(User, related_name="accounts")


class Project(models.Model):
    """Work that needs a subscription. ``subscription_id`` is the public id that Wayout gave it: sub_7."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="projects")
    name = models.CharField(max_length=100)
    subscription_id = models.CharField(max_length=40, db_index=True)
