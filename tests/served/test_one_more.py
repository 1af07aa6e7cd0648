"""One more of each touches the files that CONTRIBUTING.md names, and no other.

Most of its rows are added to a copy of the code, one after the other. The checks pass there, and
``tests/served/one_more.py`` shows there that each of them works.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.pofile import read_po, write_po

from tests.served.clone import environment
from tests.served.conftest import ROOT

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("one_more")]
# What stands in no repository, and what is about other things than the code; mypy's cache spares half a minute.
_NOT = shutil.ignore_patterns(
    ".git", ".venv", ".env", ".hypothesis", "var", "build", "node_modules", "__pycache__", "*.mo", "*.sqlite3*"
)
ROW = re.compile(r"^\| (?P<name>[^|]+?) \| (?P<row>[^|]+) \| (?P<with_it>[^|]+) \|[^|]*\|$", re.MULTILINE)
PATH = re.compile(r"`([\w-]+/[\w./-]*)(?::\w+)?`")
CATALOG = "portal/locale/{}/LC_MESSAGES/django.po"
# What looks at every action, provider, field and word, and is not in `make check`.
WALKS = (
    "tests/tenants/test_actions.py",
    "tests/billing/test_providers.py",
    "tests/graphql/test_fields.py",
    "tests/graphql/test_contract.py",
    "tests/unit/test_frontend.py",
)
# What translators say of what is new.
BULGARIAN = {
    "This request is closed: nobody will call.": "Тази заявка е приключена: никой няма да се обади.",
    "cut off": "връзката прекъсна",
    "the customer moved": "клиентът се премести",
    "merged with another company": "сливане с друго дружество",
}
MERGED = {"en": "Merged with another company", "bg": "Сливане с друго дружество"}
GERMAN = {"This request is closed: nobody will call.": "Diese Anfrage ist abgeschlossen: Niemand ruft an."}


def listed(name: str) -> set[str]:
    """The files, or folders, that the page names for one more of these; tests do not count."""
    page = (ROOT / "CONTRIBUTING.md").read_text().partition("## Adding one more")[2].partition("\n## ")[0]
    rows = {found["name"]: f"{found['row']} {found['with_it']}" for found in ROW.finditer(page)}
    text = re.sub(r"the catalog\b", f"`{CATALOG.format('bg')}`", rows[name])
    return {path for path in PATH.findall(text) if not path.startswith("tests/")}


def succeed(copy: Path, *command: str, **given: str) -> None:
    """Do something in the copy that must not fail."""
    done = subprocess.run(
        command, cwd=copy, env=environment(**given), capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


def insert(path: Path, before: str, text: str) -> None:
    """Put ``text`` before what stands there once."""
    found = path.read_text()
    assert found.count(before) == 1, (path, before)
    path.write_text(found.replace(before, text + before))


def add_error(copy: Path) -> None:
    errors = copy / "desk" / "errors.py"
    insert(errors, "├── ClaimedElsewhere\n", "├── CallbackClosed\n")
    insert(
        errors,
        "class CallbackOpen(",
        '''class CallbackClosed(ExpectedError):
    """A request for a call that is over."""

    code = "CALLBACK_CLOSED"
    sentence = N_("This request is closed: nobody will call.")


''',
    )
    translate(copy, "bg", BULGARIAN.__getitem__)


def add_mutation(copy: Path) -> None:
    insert(
        copy / "portal" / "graphql" / "access.py",
        '    "registerWebhook":',
        '    "confirmCallback": _act(Scope.CALLBACK),\n',
    )
    insert(copy / "docs" / "api.md", ", and whole phone numbers", ", `confirmCallback`")
    service = copy / "desk" / "services" / "requests.py"
    insert(service, "NumberUnanswered\n", "CallbackClosed, ")
    insert(
        service,
        "def _new(",
        '''def confirm_callback(*, caller: Caller, callback_id: int, language: str, now: datetime) -> CallbackRequest:
    """The customer will be there when we call. Raises NotFound, NotPermitted, CallbackClosed."""
    with one_transaction():
        request, _ = locked_request(caller, callback_id)
        if request.status not in OPEN_STATUSES:
            raise CallbackClosed("callbackId")
        audit_call(Action.CALLBACK_UPDATED, caller, request, language, now)
        return request


''',
    )
    mutations = copy / "portal" / "graphql" / "mutations" / "callbacks.py"
    insert(
        mutations,
        "@strawberry.type\nclass CallbackMutation:",
        """@strawberry.input(description="Which call.")
class ConfirmCallbackInput:
    callback_id: strawberry.ID = strawberry.field(description="The request.")


@strawberry.type(description="It is expected.")
class ConfirmCallbackSuccess:
    callback_request: CallbackRequest = strawberry.field(description="As it was.")


ConfirmCallbackPayload = Annotated[
    ConfirmCallbackSuccess | InputProblem,
    strawberry.union("ConfirmCallbackPayload", description="Expected; or why not."),
]


""",
    )
    insert(
        mutations,
        "\n\ndef _wish(",
        """
    @mutation(description="Somebody will be there when we call.")
    def confirm_callback(self, info: Info, input: ConfirmCallbackInput) -> ConfirmCallbackPayload:
        request = services.confirm_callback(
            callback_id=read_id(Kind.CALLBACK, input.callback_id), **info.context.basics
        )
        return ConfirmCallbackSuccess(callback_request=wrap_callback(info, request))
""",
    )
    insert(
        copy / "tests" / "graphql" / "test_access.py",
        '    "registerWebhook": (',
        """    "confirmCallback": (
        WITHDRAW.replace("WithdrawCallback", "ConfirmCallback").replace("withdrawCallback", "confirmCallback"),
        lambda s: {"input": {"callbackId": s.callback}},
    ),
""",
    )


def add_outcome(copy: Path) -> None:
    insert(copy / "tenants" / "actions.py", "    CALLBACK_ERASED =", '    CALLBACK_CUT_OFF = "callback.cut_off"\n')
    insert(
        copy / "desk" / "attempts.py",
        "    WRONG_NUMBER = (\n",
        """    CUT_OFF = (
        "CUT_OFF",
        N_("cut off"),
        Follows(action=Action.CALLBACK_CUT_OFF, next_call=NextCall.SOON, reached=True),
    )
""",
    )
    insert(copy / "docs" / "desk.md", "| wrong number |", "| cut off | the same | back in the queue at once |\n")
    translate(copy, "bg", BULGARIAN.__getitem__)


def add_close_reason(copy: Path) -> None:
    reason = '"CUSTOMER_MOVED", N_("the customer moved"), CallbackStatus.DONE, CallOccasion.DONE, True'
    insert(copy / "desk" / "codes.py", '    OTHER = "OTHER"', f"    CUSTOMER_MOVED = {reason}\n")
    enums = copy / "portal" / "graphql" / "types" / "enums.py"
    insert(enums, '    OTHER="None of the others', '    CUSTOMER_MOVED="The customer is somewhere else now.",\n')
    translate(copy, "bg", BULGARIAN.__getitem__)


def add_feedback(copy: Path) -> None:
    models = copy / "subscriptions" / "models" / "cancellations.py"
    insert(models, '    OTHER = "OTHER"', '    MERGED = "MERGED", N_("merged with another company")\n')
    enums = copy / "portal" / "graphql" / "types" / "enums.py"
    insert(enums, '    OTHER="Something else.', '    MERGED="Another company has one already.",\n')
    for language in ("en", "bg"):
        locale = copy / "frontend" / "src" / "locales" / f"{language}.js"
        insert(locale, "    TOO_EXPENSIVE:", f'    MERGED: "{MERGED[language]}",\n')
    translate(copy, "bg", BULGARIAN.__getitem__)


def add_provider(copy: Path) -> None:
    """The example of docs/providers.md, built in."""
    shutil.copy(ROOT / "examples" / "provider" / "wayout_transfers.py", copy / "billing" / "providers" / "transfers.py")
    insert(copy / "docs" / "providers.md", "| `stripe` | back", "| `transfers` | a file in a folder | nobody |\n")


def add_language(copy: Path) -> None:
    insert(copy / "common" / "languages.py", "\n\n# What the admin", '    DE = "de", "Deutsch", "de_DE"\n')
    translate(copy, "de", lambda text: GERMAN.get(text, f"de: {text}"))
    locales = copy / "frontend" / "src" / "locales"
    shutil.copy(locales / "en.js", locales / "de.js")


def translate(copy: Path, language: str, say: Callable[[str], str]) -> None:
    """Let `make messages` find what is new, and say it."""
    succeed(copy, "make", "-s", "messages")
    path = copy / CATALOG.format(language)
    catalog = read_po(BytesIO(path.read_bytes()), locale=language)
    for message in catalog:
        forms = message.string if message.pluralizable else (message.string,)
        if message.id and not all(forms):
            message.string = tuple(map(say, message.id)) if message.pluralizable else say(message.id)
    with path.open("wb") as file:
        write_po(file, catalog, width=110, include_lineno=False)


# How each is added, and how many files that may touch at most; tests and what `make schema` makes do not count.
STEPS: dict[str, tuple[Callable[[Path], None], int]] = {
    "error": (add_error, 2),
    "mutation": (add_mutation, 4),
    "outcome of a call": (add_outcome, 4),
    "reason that a call is closed for": (add_close_reason, 3),
    "feedback (why they left)": (add_feedback, 5),
    "provider of payments": (add_provider, 2),
    # Last, because it brings another catalog.
    "language": (add_language, 3),
}


def contents(copy: Path) -> dict[str, bytes]:
    """Every file that is written by hand; tests do not count."""
    skipped = ("tests", ".mypy_cache", ".ruff_cache", ".venv")
    files = (path for path in copy.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    found = {path.relative_to(copy): path.read_bytes() for path in files}
    return {str(path): text for path, text in found.items() if path.parts[0] not in skipped}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code as it stands here, in a folder of its own."""
    folder = tmp_path_factory.mktemp("one") / "more"
    shutil.copytree(ROOT, folder, ignore=_NOT)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


@pytest.fixture(scope="module")
def touched(copy: Path) -> dict[str, set[str]]:
    """What each step touched, once all are done; then the rest is made that the page names."""
    found = {}
    for name, (add, _limit) in STEPS.items():
        before = contents(copy)
        add(copy)
        found[name] = {path for path, text in contents(copy).items() if before.get(path) != text}
    succeed(copy, "make", "-s", "schema")
    succeed(copy, ".venv/bin/pybabel", "-q", "compile", "--directory", "portal/locale", "--domain", "django")
    return found


@pytest.mark.parametrize("name", STEPS)
def test_one_more_touches_what_the_page_names(touched: dict[str, set[str]], name: str) -> None:
    named = listed(name)
    # A folder stands for one new file in it.
    files = {next((to for to in named if to.endswith("/") and path.startswith(to)), path) for path in touched[name]}
    assert files == named
    _add, limit = STEPS[name]
    assert len(touched[name]) <= limit


@pytest.mark.usefixtures("touched")
def test_the_checks_pass_with_one_more_of_each(copy: Path) -> None:
    succeed(copy, "make", "-s", "check")
    migrations = ("manage.py", "makemigrations", "--check", "--dry-run")
    succeed(copy, sys.executable, *migrations, WAYOUT_DEBUG="1", DATABASE_URL="sqlite://:memory:")


@pytest.mark.usefixtures("touched")
def test_each_of_them_works(copy: Path) -> None:
    tests = (sys.executable, "-m", "pytest")
    succeed(copy, *tests, "tests/served/one_more.py", *WALKS)
    succeed(copy, *tests, "tests/graphql/test_access.py", "-k", "confirmCallback or table")
