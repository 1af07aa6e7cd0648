"""Who moves the money: the providers there are, found by the names that agreements and refunds are stored with.

Each declares itself (base.py). Those in a module of this package are always there; WAYOUT_PROVIDER and WAYOUT_PROVIDERS
add others by the dotted path of their class.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from billing.providers.base import CreditForm, Declaration, Provider, ProviderUnknown

_NO_PROVIDERS = ("base", "contract")
# As long as the column that it is kept in, and as it stands in the address of the webhook.
_NAME = re.compile("[a-z][a-z0-9-]{1,19}")


def provider(name: str) -> Provider:
    """The provider of that name, with its settings. Raises ProviderUnknown."""
    found = known().get(name)
    if found is None:
        raise ProviderUnknown(f"there is no provider called {name!r}")
    return found(settings_of(found.declares))


def default_provider() -> str:
    """The name of the one that is asked where an agreement names none."""
    chosen: str = settings.WAYOUT_PROVIDER
    return _at(chosen).declares.name if "." in chosen else chosen


def billing_providers() -> list[str]:
    """The names of those that bill, and so have to be told when something ends."""
    return [name for name, found in known().items() if found.declares.subscription_id]


def is_subscription_id(name: str, text: str) -> bool:
    """Whether ``text`` has the shape of that provider's ids for what it bills."""
    found = known().get(name)
    return bool(found and re.fullmatch(found.declares.subscription_id or "(?!)", text))


def subscription_id_example(name: str) -> str:
    """How an id of that provider looks, for people; empty for one that is not there."""
    found = known().get(name)
    return found.declares.subscription_id_example if found else ""


def credit_form(name: str) -> CreditForm:
    """What becomes of the refunds of that provider; of one that is not there, that it pays them back itself."""
    found = known().get(name)
    return found.declares.credit if found else CreditForm.PAID_BACK


def known() -> Mapping[str, type[Provider]]:
    chosen = settings.WAYOUT_PROVIDER
    built_in = _load(_built_in())
    others = [path for path in settings.WAYOUT_PROVIDERS if path not in built_in]
    return _load(tuple(dict.fromkeys([*_built_in(), *others, *([chosen] if "." in chosen else [])])))


def settings_of(declaration: Declaration) -> dict[str, str]:
    """What is set for a provider: Django's setting of that name where there is one, else the environment's."""
    return {one.name: str(getattr(settings, one.name, os.environ.get(one.name, ""))) for one in declaration.settings}


def require_default() -> None:
    """Raise ImproperlyConfigured where the provider of new refunds cannot work: unknown, or a setting is missing."""
    name = default_provider()
    if name not in known():
        there = ", ".join(known())
        raise ImproperlyConfigured(f"WAYOUT_PROVIDER is one of {there}, or the dotted path of a class: not {name}.")
    if missing := "; ".join(_missing(known()[name].declares)):
        raise ImproperlyConfigured(f"WAYOUT_PROVIDER={settings.WAYOUT_PROVIDER} needs {missing}.")


def used_providers() -> list[str]:
    """The names of those that are used here: the default, those added, and any with a setting set."""
    built_in = _load(_built_in())
    return [
        name
        for name, found in known().items()
        if name == default_provider() or name not in built_in or any(settings_of(found.declares).values())
    ]


def problems() -> Iterator[str]:
    """What is wrong with the settings of those that are used."""
    for name in used_providers():
        yield from (f"{name} needs {missing}." for missing in _missing(known()[name].declares))
        yield from _own_problems(name)


def _own_problems(name: str) -> Iterator[str]:
    """What it says itself. What its code raises may name a secret, so only the kind of it is said."""
    try:
        yield from provider(name).problems() or ()
    except Exception as error:
        yield f"{name} could not say what is wrong with its settings: {type(error).__name__}."


def _missing(declaration: Declaration) -> list[str]:
    given = settings_of(declaration)
    return [f"{one.name} ({one.help})" for one in declaration.settings if one.is_required and not given[one.name]]


@cache
def _built_in() -> tuple[str, ...]:
    names = [found.name for found in iter_modules(__path__) if found.name not in _NO_PROVIDERS]
    modules = [import_module(f"{__name__}.{name}") for name in names]
    return tuple(
        f"{module.__name__}.{name}"
        for module in modules
        for name, made in vars(module).items()
        if isinstance(made, type) and issubclass(made, Provider) and made.__module__ == module.__name__
    )


@cache
def _load(paths: tuple[str, ...]) -> Mapping[str, type[Provider]]:
    found: dict[str, type[Provider]] = {}
    for path in paths:
        made = _at(path)
        name = made.declares.name
        if found.setdefault(name, made) is not made:
            raise ImproperlyConfigured(f"{path}: another provider is called {name!r}, too.")
    return found


def _at(path: str) -> type[Provider]:
    """The class at a dotted path, once it is one that can be used. Raises ImproperlyConfigured."""
    try:
        found: object = import_string(path)
    except Exception as error:  # somebody's module, which may fail in any way
        said = str(error) if isinstance(error, ImportError) else type(error).__name__
        raise ImproperlyConfigured(f"There is no provider at {path}: {said}") from error
    if not (isinstance(found, type) and issubclass(found, Provider)):
        raise ImproperlyConfigured(f"What is at {path} is no class of billing.providers.base.Provider.")
    if wrong := _what_is_wrong(found):
        raise ImproperlyConfigured(f"{path}: {wrong}.")
    return found


def _what_is_wrong(made: type[Provider]) -> str:
    declares: object = getattr(made, "declares", None)
    if not isinstance(declares, Declaration):
        return f"{made.__name__} declares nothing: give it declares = Declaration(name=..., credit=...)"
    if not (isinstance(declares.name, str) and _NAME.fullmatch(declares.name)):
        return f"{declares.name!r} is no name of 2 to 20 lower-case letters, digits and dashes"
    if not isinstance(declares.credit, CreditForm):
        return f"credit is one of {', '.join(CreditForm.__members__)}, as CreditForm.PAID_BACK: not {declares.credit!r}"
    if missing := ", ".join(sorted(made.__abstractmethods__)):
        return f"{made.__name__} has no {missing}"
    try:
        re.compile(declares.subscription_id)
    except (re.error, TypeError):
        return f"{declares.subscription_id!r} of subscription_id is no pattern"
    return ""
