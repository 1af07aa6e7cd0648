"""What staff fill in: people and tokens, checked as the services check."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.utils.translation import gettext_lazy as _

from common.errors import InputInvalid
from common.messages import error_message
from tenants.callers import Scope
from tenants.models import PartnerToken
from tenants.tokens import check_rights
from tenants.vouching import origin_of


# Django's field for a name makes plain characters of those that only look like them; here they are refused.
class NewPersonForm(AdminUserCreationForm):  # type: ignore[type-arg]
    class Meta(AdminUserCreationForm.Meta):
        field_classes: ClassVar = {}


class PersonForm(UserChangeForm):  # type: ignore[type-arg]
    class Meta(UserChangeForm.Meta):
        field_classes: ClassVar = {}


class OriginsField(forms.CharField):
    """Origins, one a line: https, or a machine that is the browser's own."""

    widget = forms.Textarea(attrs={"rows": 3, "placeholder": "https://portal.example"})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        origins = str(value or "").split()
        for origin in origins:
            if origin_of(origin) != origin or not origin.startswith(
                ("https://", "http://localhost", "http://127.0.0.1")
            ):
                raise forms.ValidationError(
                    _("“%(origin)s” is no origin: https, a host, no path."), params={"origin": origin}
                )
        return origins


class TokenForm(forms.ModelForm):  # type: ignore[type-arg]
    scopes = forms.MultipleChoiceField(
        label=_("scopes"), choices=PartnerToken.SCOPE_CHOICES, widget=forms.CheckboxSelectMultiple
    )
    return_origins = OriginsField(
        label=_("where people whom it vouches for may return to"), required=False, help_text=_("One origin a line.")
    )

    class Meta:
        model = PartnerToken
        fields = ("name", "scopes", "tenants", "of_installation", "max_role", "return_origins", "expires_at")

    def clean(self) -> dict[str, Any]:
        """What the service refuses, said beside the field."""
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        try:
            check_rights(
                scopes=[*map(Scope, cleaned.get("scopes", ()))],
                tenants=len(cleaned.get("tenants", ())),
                of_installation=cleaned.get("of_installation", self.instance.of_installation),
                expires_at=cleaned.get("expires_at"),
            )
        except InputInvalid as refused:
            self.add_error(refused.path[0], error_message(refused))
        return cleaned
