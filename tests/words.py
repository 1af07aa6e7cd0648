"""Words that went: a newcomer had to learn them, and the field has its own (docs/glossary.md). ``make lint`` runs this.

``python -m tests.words`` reads what the code defines (functions, classes, parameters, names, attributes), prose for the
three words that came back most often, and docstrings that only repeat a name.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
APPS = sorted(path.parent.name for path in ROOT.glob("*/apps.py"))

# What is no word of ours anywhere in Python, and what is said instead.
EVERYWHERE = {
    "room": "app", "door": "entry point", "house": "installation", "contestants": "baselines", "Works": "Scenario",
    "Effect": "Task", "put_again": "enqueue_anew", "Beat": "PeriodicRun", "sweeps": "periodic_work",
    "Again": "RetryLater", "Hopeless": "PermanentFailure",
    "endings": "renewal stops", "Ending": "RenewalStop", "TELL": "CONFIRM_STOP",
    "Order": "RefundRequest", "Result": "RefundResult",
    "hear_of": "record_provider_event", "take_result": "record_result", "hearing": "partners_allowed",
    "announce": "queue_mail", "announce_call": "queue_call_mail", "notices": "mail",
    "Report": "ImportReport, DeskReport", "Table": "FileTable, ReportTable", "Standing": "RateLimitStatus",
    "Verdict": "SubscriptionSummary", "of_known": "get", "of_ids": "find_many",
    "Compiled": "PreparedQuery", "Columns": "ModelColumns", "_STAND_INS": "placeholders", "spend": "hit_rate_limit",
    "for_customer": "on_behalf", "ForCustomer": "StaffCancellation", "limit_lifted": "ignore_limit",
    "wording": "messages",
}  # fmt: skip
# Plain English that tests and benchmarks may use; in the apps it named something else.
IN_APPS = {
    "put": "enqueue", "wake": "requeue", "every": "periodic", "once": "at_most_once", "told": "confirmed_stop",
    "Answer": "EndpointResponse, FlowResponse", "Outcome": "CallOutcome, RemovalOutcome, RefundOutcome",
    "most": "limit", "settled": "paid, returned", "words": "messages", "place": "setting",
}  # fmt: skip
PATTERNS = {
    re.compile(r"_?MOST(_\w+)?$"): "MAX_...",
    re.compile(r"_?FEW$"): "BATCH_SIZE",
    re.compile(r"_?PATIENCE$"): "TIMEOUT",
    re.compile(r"WAYOUT_AT_ONCE$"): "WAYOUT_MAX_CONCURRENCY",
    re.compile(r"_?tell_\w+$"): "queue_mail, publish_...",
}
PROSE = re.compile(r"\b(?:rooms?|houses?|contestants?)\b", re.IGNORECASE)
# What others call so: the space that something takes, and these sentences themselves.
ALLOWED = {"tests/words.py", "docs/glossary.md"}


def defined(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every name that a module gives to something, with its line."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.lineno, node.name
            case ast.arg():
                yield node.lineno, node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.lineno, node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.lineno, node.attr


def better(name: str, *, in_app: bool) -> str | None:
    """What to say instead of a name; None where it is fine."""
    if name in EVERYWHERE:
        return EVERYWHERE[name]
    if in_app and name in IN_APPS:
        return IN_APPS[name]
    return next((word for pattern, word in PATTERNS.items() if pattern.match(name)), None)


def repeats(name: str, docstring: str) -> bool:
    """Whether nothing is said that the name does not say."""
    words = set(name.lower().strip("_").split("_")) | set(
        re.findall(r"[a-z]+", re.sub(r"([A-Z])", r" \1", name).lower())
    )
    said = set(re.findall(r"[a-z]+", docstring.lower())) - {"the", "a", "an", "of", "this", "its", "it", "is", "for"}
    return said <= words | {f"{word}s" for word in words}


def complaints(path: str, text: str) -> Iterator[str]:
    """A line for each old word of a file."""
    if path.endswith(".py"):
        in_app = path.split("/")[0] in APPS
        tree = ast.parse(text)
        for node in ast.walk(tree):
            documented = isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node)
            if documented and repeats(node.name, documented):
                yield f"{path}:{node.lineno}: the docstring of {node.name} only repeats its name"
        for line, name in defined(tree):
            if word := better(name, in_app=in_app):
                yield f"{path}:{line}: {name} is called {word} now (docs/glossary.md)"
    for number, line in enumerate(text.splitlines(), 1):
        if found := PROSE.search(line):
            yield f"{path}:{number}: “{found[0]}”: say app, installation or baseline (docs/glossary.md)"


def main() -> int:
    """The exit code: 1 where an old word came back."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    files = listed or [str(path.relative_to(ROOT)) for app in APPS for path in (ROOT / app).rglob("*.py")]
    found = [
        complaint
        for path in files
        if path.endswith((".py", ".md", ".js", ".html")) and "/migrations/" not in path and path not in ALLOWED
        if (ROOT / path).exists()
        for complaint in complaints(path, (ROOT / path).read_text())
    ]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
