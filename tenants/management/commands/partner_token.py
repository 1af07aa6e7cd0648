"""manage.py partner_token: make, rotate, revoke, check and list partner tokens."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from common.errors import InputInvalid
from common.messages import error_message
from common.whole_numbers import whole_number_argument
from tenants.callers import Role, Scope
from tenants.models import PartnerToken, Tenant
from tenants.people import SYSTEM
from tenants.tokens import TokenEnded, create_token, is_well_formed, revoke_token, rotate_token
from tenants.vouching import origin_of


class Command(BaseCommand):
    """The text of a new token goes to standard output, once; everything else to standard error."""

    help = "Make, rotate, revoke, check or list partner tokens."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One thing to do, and what it needs."""
        act = parser.add_mutually_exclusive_group(required=True)
        act.add_argument("--create", metavar="NAME", help="make a token")
        act.add_argument("--rotate", metavar="ID", help="make its successor; the old one works on for --overlap days")
        act.add_argument("--revoke", metavar="ID", help="end it now")
        act.add_argument("--check", metavar="TOKEN", help="tell a typo from a whole token, without the database")
        act.add_argument("--list", action="store_true", help="all tokens, without their text")
        parser.add_argument("--scope", action="append", choices=[s.value for s in Scope], default=[])
        parser.add_argument("--tenant", action="append", default=[], metavar="DOMAIN")
        parser.add_argument("--installation", action="store_true", help="of all tenants, those to come included")
        parser.add_argument("--max-role", choices=[role.value for role in Role], default=Role.VIEWER.value)
        parser.add_argument("--return-origin", action="append", default=[], metavar="ORIGIN")
        parser.add_argument("--expires", metavar="TIME", help="ISO 8601 with an offset")
        parser.add_argument("--overlap", type=whole_number_argument, default=7, metavar="DAYS")

    def handle(self, **options: Any) -> None:
        now = timezone.now()
        if options["check"]:
            if not is_well_formed(options["check"]):
                raise CommandError("This is not a whole token: a character is missing or mistyped.")
            self.stdout.write("This is a whole token. Whether it is known, expired or revoked only the server tells.")
        elif options["list"]:
            self._list()
        elif options["create"]:
            self._create(options, now)
        elif options["rotate"]:
            self._rotate(options, now)
        elif revoke_token(token=self._known(options["revoke"]), caller=SYSTEM, now=now):
            self.stderr.write("Revoked.")
        else:
            self.stderr.write("It was revoked before.")

    def _create(self, options: dict[str, Any], now: datetime) -> None:
        tenants = list(Tenant.objects.filter(domain__in=options["tenant"]))
        missing = set(options["tenant"]) - {tenant.domain for tenant in tenants}
        if missing or not (tenants or options["installation"]):
            raise CommandError(
                f"There is no tenant {', '.join(sorted(missing)) or '(give --tenant, or --installation)'}."
            )
        if not options["scope"]:
            raise CommandError(f"Give at least one --scope: {', '.join(Scope)}.")
        try:
            _, text = create_token(
                name=options["create"],
                scopes=[Scope(scope) for scope in options["scope"]],
                tenants=tenants,
                of_installation=options["installation"],
                max_role=Role(options["max_role"]),
                return_origins=[self._origin(text) for text in options["return_origin"]],
                expires_at=self._instant(options["expires"]),
                caller=SYSTEM,
                now=now,
            )
        except InputInvalid as refused:
            raise CommandError(error_message(refused)) from None
        self.stderr.write("The token, shown only now:")
        self.stdout.write(text)

    def _rotate(self, options: dict[str, Any], now: datetime) -> None:
        old, overlap = self._known(options["rotate"]), timedelta(days=options["overlap"])
        try:
            new, text = rotate_token(token=old, overlap=overlap, caller=SYSTEM, now=now)
        except TokenEnded:
            raise CommandError(f"The token {old.key_id} was revoked or has expired: make a new one.") from None
        ends = f" ends {new.expires_at.isoformat()}," if new.expires_at else ""
        self.stderr.write(f"The old token works on for {overlap.days} days at most. The new one{ends} shown only now:")
        self.stdout.write(text)

    def _instant(self, text: str | None) -> datetime | None:
        if text is None:
            return None
        try:
            instant = datetime.fromisoformat(text)
        except ValueError:
            raise CommandError(f"--expires: “{text}” is not a date and time.") from None
        if instant.tzinfo is None:
            raise CommandError("--expires: write the offset, for example 2027-01-01T00:00:00+02:00.")
        return instant

    def _origin(self, text: str) -> str:
        if origin_of(text) != text:
            raise CommandError(f"--return-origin: “{text}” is no origin, for example https://portal.example.")
        return text

    def _known(self, key_id: str) -> PartnerToken:
        token = PartnerToken.objects.filter(key_id=key_id).first()
        if token is None:
            raise CommandError(f"There is no token with the id {key_id}. See --list.")
        return token

    def _list(self) -> None:
        for token in PartnerToken.objects.prefetch_related("tenants").order_by("pk"):
            ends = "revoked" if token.revoked_at else f"expires {token.expires_at or 'never'}"
            domains = ", ".join(tenant.domain for tenant in token.tenants.all())
            domains = domains or "(the whole installation)" * token.of_installation
            self.stdout.write(f"{token.key_id}  {token.name}  {'+'.join(token.scopes)}  {domains}  {ends}")
