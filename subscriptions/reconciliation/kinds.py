"""The kinds of findings: what is wrong, and what whoever reads it does about it. Pure."""

from __future__ import annotations

from common.codes import N_, CodeTable


class Subject(CodeTable):
    """What a finding is about: how it is called, and the admin's page of it, empty where there is none."""

    label: str
    page: str

    AGREEMENT = "AGREEMENT", N_("agreement %(name)s"), "billing_agreement"
    CHARGE = "CHARGE", N_("charge %(name)s"), "billing_charge"
    REFUND = "REFUND", N_("refund %(name)s"), "billing_refund"
    PART = "PART", N_("refund part %(name)s"), "billing_refund"
    CANCELLATION = "CANCELLATION", N_("cancellation %(name)s"), "subscriptions_cancellation"
    SUBSCRIPTION = "SUBSCRIPTION", N_("subscription %(name)s"), "subscriptions_subscription"
    NOTICE = "NOTICE", N_("notice %(name)s"), "billing_providernotice"
    TASK = "TASK", N_("task %(name)s"), "outbox_task"
    PROVIDER = "PROVIDER", N_("provider %(name)s"), ""
    TENANT = "TENANT", N_("tenant %(name)s"), "tenants_tenant"


_CONTRADICTION = N_(
    "Nothing in Wayout makes this: it is an edit of the database, a restore of a part of it, or a fault of ours. Send"
    " nothing by hand, keep a backup, run verify_audit, and tell us."
)
_OVERDRAWN = N_("Ask the customer for the rest, or let it be. It stays in the list.")
_TELL_AGAIN = N_(
    "Wait if the provider is down; its page says so. Else mend what the task's last failure says, and do it again."
)
_MEND_MODULE = N_("The provider's own code raised that, and the log has it: mend that module.")


class FindingKind(CodeTable):
    """``wrong`` and ``do`` are sentences; the values of a finding are put into ``wrong``."""

    about: Subject
    wrong: str
    do: str

    RESERVED_OTHERWISE = (
        "RESERVED_OTHERWISE", Subject.CHARGE,
        N_("%(reserved)s is reserved, its refunds say %(said)s"),
        _CONTRADICTION,
    )  # fmt: skip
    CHARGE_EXCEEDED = (
        "CHARGE_EXCEEDED", Subject.CHARGE,
        N_("%(gone)s is gone or goes back, %(returnable)s of it may"),
        N_("Its page says what left by whom: by us, in the provider's dashboard, by a dispute. Ask the customer for the"
           " rest, or let it be. It stays in the list."),
    )  # fmt: skip
    PROVIDER_NOTICE = (
        "PROVIDER_NOTICE", Subject.NOTICE,
        N_("%(provider)s says something of %(reference)s that could not be taken: %(reason)s"),
        N_("Its page says what, and why not. Bring the facts in with the charges file, then say that it was looked at."),
    )  # fmt: skip
    LATE_CHARGE = (
        "LATE_CHARGE", Subject.CHARGE,
        N_("it bills time after a cancellation, %(left)s is not back yet, %(paid)s was paid"),
        N_("What was paid goes back by itself. Have the rest voided where it was billed and import that correction; see"
           " that the billing stops."),
    )  # fmt: skip
    CHARGES_OF_ONE_ID = (
        "CHARGES_OF_ONE_ID", Subject.CHARGE,
        N_("%(count)s charges of %(provider)s go by that id, so payments of it are not taken"),
        N_("Find out whose it is. Until then bring in what was paid with the charges file, and have the wrong one"
           " corrected."),
    )  # fmt: skip
    REFUND_AMOUNT = (
        "REFUND_AMOUNT", Subject.REFUND, N_("it is %(amount)s, its parts are %(parts)s"), _CONTRADICTION,
    )  # fmt: skip
    REFUND_UNFINISHED = (
        "REFUND_UNFINISHED", Subject.REFUND,
        N_("it is said to have succeeded, a part of it has not"),
        _CONTRADICTION,
    )  # fmt: skip
    REFUND_FAILED = (
        "REFUND_FAILED", Subject.REFUND,
        N_("it failed and waits for staff"),
        N_("Send it again, or note that it was settled by hand."),
    )  # fmt: skip
    REFUND_OVERDRAWN = (
        "REFUND_OVERDRAWN", Subject.REFUND,
        N_("%(sent)s of charge %(charge)s goes back, by the facts since %(due)s is due"),
        _OVERDRAWN,
    )  # fmt: skip
    REFUND_OVERDUE = (
        "REFUND_OVERDUE", Subject.REFUND,
        N_("it was due by %(day)s"),
        N_("Where it is owed, pay it and mark it as paid. Else its page says what it waits for; if nothing, look whether a"
           " worker runs."),
    )  # fmt: skip
    REFUND_LOST = (
        "REFUND_LOST", Subject.REFUND,
        N_("nothing will send it"),
        N_("Its task is gone or does not run: a running worker finds one that is gone within five minutes; do one that"
           " was given up or is stuck again."),
    )  # fmt: skip
    NOBODY_TOLD = (
        "NOBODY_TOLD", Subject.AGREEMENT,
        N_("it was canceled, and nobody could be told: its id at the provider is not on record"),
        N_("Write the id down on its page: the provider is told within seconds."),
    )  # fmt: skip
    STOP_UNCONFIRMED = (
        "STOP_UNCONFIRMED", Subject.AGREEMENT,
        N_("%(provider)s was told that it %(told)s, it should be that it %(wanted)s"),
        _TELL_AGAIN,
    )  # fmt: skip
    STOP_UNCERTAIN = (
        "STOP_UNCERTAIN", Subject.AGREEMENT,
        N_("nobody knows what %(provider)s has heard, it should be that it %(wanted)s"),
        _TELL_AGAIN,
    )  # fmt: skip
    STOP_DIFFERS = (
        "STOP_DIFFERS", Subject.AGREEMENT,
        N_("%(provider)s was told that it %(told)s, and says that it %(says)s"),
        N_("Somebody changed it there: set it right there."),
    )  # fmt: skip
    STOP_UNKNOWN = (
        "STOP_UNKNOWN", Subject.AGREEMENT,
        N_("the provider does not know it, %(reason)s"),
        N_("The id is wrong, or of another account or mode of theirs: correct the id, or the key."),
    )  # fmt: skip
    STOP_FAILS = (
        "STOP_FAILS", Subject.AGREEMENT, N_("the provider fails with %(error)s"), _MEND_MODULE,
    )  # fmt: skip
    UNDONE_WITH_REFUND = (
        "UNDONE_WITH_REFUND", Subject.CANCELLATION, N_("it was undone, its refund was not"), _CONTRADICTION,
    )  # fmt: skip
    PROMISED_OTHERWISE = (
        "PROMISED_OTHERWISE", Subject.CANCELLATION,
        N_("%(promised)s was promised, the refund is %(refund)s"),
        _CONTRADICTION,
    )  # fmt: skip
    MODE_DIFFERS = (
        "MODE_DIFFERS", Subject.SUBSCRIPTION,
        N_("it says %(mode)s, its cancellation says otherwise"),
        _CONTRADICTION,
    )  # fmt: skip
    TALLY_DIFFERS = (
        "TALLY_DIFFERS", Subject.SUBSCRIPTION,
        N_("%(kept)s licenses are kept as assigned, %(held)s are held"),
        _CONTRADICTION,
    )  # fmt: skip
    REMOVALS_LATE = (
        "REMOVALS_LATE", Subject.SUBSCRIPTION,
        N_("removals of licenses that nobody has decided since %(since)s: %(count)s"),
        N_("Where the host removes them, ask whoever runs it; where a connection does, its page and its task say why. The"
           " list of removals has each."),
    )  # fmt: skip
    NO_CARRIER = (
        "NO_CARRIER", Subject.TENANT,
        N_("a connection is to remove its licenses, and none serves it"),
        N_("Make or resume the connection: removals wait for it, none is lost. Or say on the tenant's page that somebody"
           " else removes licenses."),
    )  # fmt: skip
    REFUSED_AFTER = (
        "REFUSED_AFTER", Subject.CANCELLATION,
        N_("removals that were on their way when it was canceled, and that the directory has refused: %(count)s"),
        N_("The cancellation stands. Have these licenses removed in the directory, which says why not in the list of"
           " removals, and tell the customer."),
    )  # fmt: skip
    TASK_GIVEN_UP = (
        "TASK_GIVEN_UP", Subject.TASK,
        N_("given up, %(failure)s"),
        N_("It is not tried any more: mend what it says, then do it again."),
    )  # fmt: skip
    TASK_STUCK = (
        "TASK_STUCK", Subject.TASK,
        N_("stuck, %(failure)s"),
        N_("It is not tried any more: the workers' log says why it ends them. Mend that, then do it again."),
    )  # fmt: skip
    TASK_LATE = (
        "TASK_LATE", Subject.TASK, N_("due since %(due)s, does a worker run?"), N_("Start the worker."),
    )  # fmt: skip
    PART_DIFFERS = (
        "PART_DIFFERS", Subject.PART,
        N_("we say %(ours)s, the provider says %(theirs)s"),
        N_("Where we say SUCCEEDED, look at the provider's page, by the part's id. Else it was sent after the backup that"
           " was restored: start the worker, it is found by its key."),
    )  # fmt: skip
    PART_MISSING = (
        "PART_MISSING", Subject.PART,
        N_("we say that it succeeded, the provider knows nothing of it"),
        N_("Look at the provider's page, by the part's id: it may be another account or mode of theirs, or the money"
           " never left."),
    )  # fmt: skip
    PART_AMOUNT = (
        "PART_AMOUNT", Subject.PART,
        N_("it is %(ours)s, the provider has %(theirs)s"),
        N_("Look at it at the provider, and settle the difference with the customer by hand."),
    )  # fmt: skip
    PART_UNDER_ANOTHER_KEY = (
        "PART_UNDER_ANOTHER_KEY", Subject.PART,
        N_("the provider paid it under %(theirs)s, we go by %(ours)s"),
        N_("It may have been paid twice: look at both keys at the provider before anything of it is sent again."),
    )  # fmt: skip
    PART_FAILS = "PART_FAILS", Subject.PART, N_("the provider fails with %(error)s"), _MEND_MODULE
    REFUND_UNKNOWN_HERE = (
        "REFUND_UNKNOWN_HERE", Subject.PROVIDER,
        N_("its refund %(reference)s has the key %(key)s, and nothing here asked for it"),
        N_("After a restore, the cancellation came after the backup: cancel again, and settle that refund by hand. Else"
           " another Wayout uses the same account: give each its own."),
    )  # fmt: skip
    PROVIDER_SILENT = (
        "PROVIDER_SILENT", Subject.PROVIDER,
        N_("it does not answer, %(reason)s: what it says was not compared"),
        N_("Nothing is known of it. The next run asks again; a key that is refused has to be corrected."),
    )  # fmt: skip
    PROVIDER_FAILS = (
        "PROVIDER_FAILS", Subject.PROVIDER, N_("it fails with %(error)s where it lists its refunds"), _MEND_MODULE,
    )  # fmt: skip
