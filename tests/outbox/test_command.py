"""What `manage.py work` says to whoever started it."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from django.core.management import call_command

from outbox import watch
from outbox.lanes import Lanes

pytestmark = pytest.mark.django_db


@pytest.fixture
def stopped_at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Somebody stops it during its first look for work; nothing of it stays in this process."""

    def stop(_: Lanes) -> bool:
        signal.raise_signal(signal.SIGTERM)
        return False

    monkeypatch.setattr(Lanes, "_look", stop)
    monkeypatch.setattr(watch, "leave", watch.leave)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("stopped_at_once")
@pytest.mark.parametrize(("options", "said"), [((), "Waiting for work. Ctrl+C stops.\n"), (("--while-parent",), "")])
def test_it_says_that_it_waits_unless_the_terminal_is_a_servers(
    options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("work", "--pause", "0", *options)
    assert capsys.readouterr().out == said
