"""What became of a document: one shape, whichever door it came by. Plain data, so that a run can keep it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from billing.money import Money
from common.formatting import format_day
from common.messages import say
from subscriptions.directory.document import Section
from subscriptions.directory.faults import CONFLICTS, Fault, Problem, Refused
from subscriptions.directory.reading import problem_of

# So many of each are kept; all are counted.
MAX_KEPT = 1_000


@dataclass(slots=True)
class MoneyCount:
    """Charges of one currency, with their sums in minor units."""

    charges: int = 0
    charged: int = 0
    paid: int = 0
    left_out: int = 0
    charged_left_out: int = 0


@dataclass(slots=True)
class SyncReport:
    """``rows`` is the sum of those that were created, changed, unchanged, older than what is known, and left out.

    ``counts``: how many of what else. ``problems`` name rows that were left out, ``conflicts`` what two sides say
    differently, ``notes`` what else somebody should know; of each the first, and how many there are in ``numbers``.
    ``questions``: products that nobody knows here, and how many hold them. ``contradicted``: what two rows say
    differently, and the line of the second.
    """

    in_lines: bool = True
    rows: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    older: int = 0
    left_out: int = 0
    removed: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    questions: Counter[str] = field(default_factory=Counter)
    contradicted: dict[str, int] = field(default_factory=dict)
    money: dict[str, MoneyCount] = field(default_factory=lambda: defaultdict(MoneyCount))
    holders: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    conflicts: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    numbers: Counter[str] = field(default_factory=Counter)

    @property
    def is_whole(self) -> bool:
        """Whether all of it could be read and taken: only then is absent what is not in it."""
        return not self.numbers["problems"]

    @property
    def has_changed(self) -> bool:
        """Whether anything is different from before."""
        return bool(self.created or self.changed or self.removed)

    def leave_out(self, problem: Problem) -> None:
        """A row, or what should have been one, is not taken."""
        self.left_out += 1
        self.add_problem(problem)

    def add_problem(self, problem: Problem) -> None:
        """Something of the document was not taken."""
        self._keep("problems", self.problems, problem)

    def refuse(self, section: Section, line: int, error: Refused) -> None:
        """A row was read and is not taken: it cannot be, or something else stands."""
        self.left_out += 1
        self.tell(section, line, error.fault, *error.path, **error.data)

    def tell(self, section: Section, line: int, fault: Fault, *path: str, **data: Any) -> None:
        """Something of a row that was taken was not, or two sides say different things."""
        found = problem_of(section, line, Refused(fault, *path, **data), in_lines=self.in_lines)
        if fault in CONFLICTS:
            self._keep("conflicts", self.conflicts, found)
        else:
            self.add_problem(found)

    def note(self, fault: Fault, **data: Any) -> None:
        """Say something once."""
        problem = Problem(fault, data=data)
        if problem not in self.notes:
            self._keep("notes", self.notes, problem)

    def count_charge(self, currency: str, charged: int, paid: int, *, came_in: bool) -> None:
        """Sum up what charges brought, in minor units."""
        money = self.money[currency]
        if came_in:
            money.charges, money.charged, money.paid = money.charges + 1, money.charged + charged, money.paid + paid
        else:
            money.left_out, money.charged_left_out = money.left_out + 1, money.charged_left_out + charged

    def _keep(self, what: str, kept: list[Problem], problem: Problem) -> None:
        self.numbers[what] += 1
        if len(kept) < MAX_KEPT:
            kept.append(problem)

    def as_json(self) -> dict[str, Any]:
        """What a run keeps."""
        return {name: getattr(self, name) for name in _PLAIN} | {
            "money": {currency: asdict(money) for currency, money in self.money.items()},
            **{name: [_kept(problem) for problem in getattr(self, name)] for name in _LISTS},
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> SyncReport:
        """The report that a run kept, to go on with."""
        report = cls(**{name: kept[name] for name in _PLAIN if name in kept})
        report.counts, report.numbers = Counter(report.counts), Counter(report.numbers)
        report.questions = Counter(report.questions)
        report.money.update({currency: MoneyCount(**money) for currency, money in kept.get("money", {}).items()})
        for name in _LISTS:
            setattr(report, name, [Problem(**one) for one in kept.get(name, ())])
        return report


_LISTS = ("problems", "conflicts", "notes")
_PLAIN = (
    "in_lines", "rows", "created", "changed", "unchanged", "older", "left_out", "removed", "counts", "holders", "numbers", "questions",
    "contradicted",
)  # fmt: skip


def _kept(problem: Problem) -> dict[str, Any]:
    data = {name: value if isinstance(value, (int, dict)) else _shown(value) for name, value in problem.data.items()}
    return {"code": str(problem.code), "path": _shown(problem.path), "line": problem.line, "data": data}


def _shown(value: Any) -> str:
    """What was sent may hold what no database keeps and no page shows."""
    return "".join(c if c.isprintable() else "\ufffd" for c in str(value))


def problem_message(problem: Problem) -> str:
    """One sentence for people, in the active language. A refusal that is said elsewhere brings its own."""
    data = dict(problem.data)
    if "date" in data:
        data["date"] = format_day(date.fromisoformat(str(data["date"])))
    if "sentence" not in data:
        return say(Fault(problem.code).sentence, data)
    said = say(data["sentence"], data)
    return f"{data['charge']}: {said}" if data.get("charge") else said


def refusal_message(error: Refused) -> str:
    """What is wrong with a value, in the active language."""
    return problem_message(Problem(error.fault, data=error.data))


def answer_of(report: SyncReport) -> dict[str, Any]:
    """The report as hosts get it, with its sentences in the active language."""
    return {
        **{name: getattr(report, name) for name in ("rows", "created", "changed", "unchanged", "older", "removed")},
        "leftOut": report.left_out,
        "licenses": {
            "assigned": report.counts["licenses_assigned"],
            "removed": report.counts["licenses_removed"],
            "keptRemoved": report.counts["kept_removed"],
        },
        "questions": dict(report.questions),
        **{name: list(_said(getattr(report, name))) for name in _LISTS},
        "counts": {name: report.numbers[name] for name in _LISTS},
        "money": dict(_money_said(report.money)),
    }


def _said(problems: list[Problem]) -> Iterator[dict[str, Any]]:
    for problem in problems:
        yield {
            "path": problem.path,
            "line": problem.line,
            "code": str(problem.code),
            "message": problem_message(problem),
        }


def _money_said(money: Mapping[str, MoneyCount]) -> Iterator[tuple[str, dict[str, Any]]]:
    for currency, count in sorted(money.items()):
        sums = (count.charged, count.paid, count.charged_left_out)
        charged, paid, left_out = (f"{Money(amount, currency).amount:f}" for amount in sums)
        yield currency, {
            "charges": count.charges, "charged": charged, "paid": paid,
            "leftOut": count.left_out, "chargedLeftOut": left_out,
        }  # fmt: skip
