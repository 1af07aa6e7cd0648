"""schemathesis makes operations out of our own schema and sends them to the server as it is served."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from tests.served.conftest import Served, serve

pytestmark = pytest.mark.xdist_group("fuzz")
_EXAMPLES = 150


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server of its own: what is sent to it cancels subscriptions."""
    with serve(tmp_path_factory.mktemp("var"), WAYOUT_CALLER_RATE="1000000/minute") as running:
        yield running


@pytest.mark.long
def test_no_operation_of_the_schema_is_an_unexpected_error(target: Served) -> None:
    port, environment = target
    token = json.loads((Path(environment["WAYOUT_VAR"]) / "demo.json").read_text())["tokens"]["partner"]
    headers = {"Authorization": f"Bearer {token}"}
    schema = schemathesis.graphql.from_url(f"http://127.0.0.1:{port}/graphql/", headers=headers)
    sent = 0
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(max_examples=_EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(operation.as_strategy())
        def send(case: Any) -> None:
            nonlocal sent
            sent += 1
            answer = case.call(headers=headers)
            assert answer.status_code in (200, 400), answer.text
            codes = {error["extensions"]["code"] for error in answer.json().get("errors", ())}
            assert "INTERNAL_ERROR" not in codes, (case.body, answer.text)

        send()
    assert sent >= 14 * 5
