"""Forms of the admin that more than one app has."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from common.lines import one_line


class ExternalIdForm(forms.ModelForm):  # type: ignore[type-arg]
    """Refuses an id that another of its kind has, in the tenant where it is of one: that is no field of the form."""

    def clean_external_id(self) -> str:
        external_id = one_line(self.cleaned_data["external_id"])
        others = self.instance._meta.default_manager.filter(external_id=external_id).exclude(pk=self.instance.pk)
        if tenant_id := getattr(self.instance, "tenant_id", None):
            others = others.filter(tenant=tenant_id)
        if external_id and others.exists():
            raise forms.ValidationError(_("Another one has this id."))
        return external_id
