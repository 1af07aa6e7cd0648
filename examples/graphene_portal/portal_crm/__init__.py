"""A portal written with graphene-django: who works at which account, and which projects use a subscription."""
