"""Where the link of an invitation leads. Looking at it, as scanners of links do, uses nothing up."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.forms import SetPasswordForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from portal.accounts.invitations import accept_invitation, account_of, invitation_of, new_account
from tenants.models import Invitation, User

_GONE = 410


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("new_password1", "new_password2")
def invitation(request: HttpRequest, key: str) -> HttpResponse:
    """Choose a password, or accept as who has the account; one sentence for a link that does not work, whatever the reason."""
    found = invitation_of(key, timezone.now())
    if found is None:
        return render(request, "portal/invitation_ended.html", status=_GONE)
    with translation.override(found.language):
        account = account_of(found)
        return _for_account(request, found, account) if account else _for_new(request, found)


def _for_account(request: HttpRequest, found: Invitation, account: User) -> HttpResponse:
    is_theirs = request.user == account
    if request.method == "POST" and is_theirs:
        return _accept(request, found, account, _("You have the role now."))
    return _page(request, found, has_account=True, is_theirs=is_theirs)


def _for_new(request: HttpRequest, found: Invitation) -> HttpResponse:
    account = new_account(found)
    form: SetPasswordForm[User] = SetPasswordForm(account, request.POST if request.method == "POST" else None)
    if form.is_valid():
        account.set_password(form.cleaned_data["new_password1"])
        return _accept(request, found, account, _("Your account is ready. Sign in with your email address."))
    return _page(request, found, form=form)


def _accept(request: HttpRequest, found: Invitation, person: User, done: str) -> HttpResponse:
    if not accept_invitation(invitation=found, person=person, request=request, now=timezone.now()):
        # What can be done now is for the page to say.
        return redirect(request.path)
    messages.success(request, done)
    return redirect("home")


def _page(request: HttpRequest, found: Invitation, **shown: object) -> HttpResponse:
    context = {"invitation": found, "role": found.get_role_display(), "here": request.path, **shown}
    return render(request, "portal/invitation.html", context)
