"""What just failed is left alone for a moment; then one at a time looks whether it is back."""

from __future__ import annotations

import pytest

from common import circuit as module
from common.circuit import Circuit
from tests.races.together import together


def test_after_a_failure_one_at_a_time_looks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(module, "monotonic", lambda: now)
    circuit = Circuit(pause=5)
    assert [circuit.allows() for _ in range(3)] == [True] * 3
    circuit.failed()
    assert [circuit.allows(), circuit.is_open] == [False, True]
    now += 5
    assert together(8, lambda _: circuit.allows()).count(True) == 1
    now += 5
    assert circuit.allows()
    circuit.worked()
    assert [circuit.allows() for _ in range(3)] == [True] * 3
    assert not circuit.is_open
