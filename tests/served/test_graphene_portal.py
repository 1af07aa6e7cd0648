"""The example of a graphene-django portal, from its own environment, behind its gateway with Wayout: both ways."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.served.conftest import ROOT, free_port, need_npm, serve, wait_for
from tests.served.test_gateway import SECRET, facts

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("served")]
Ask = Callable[..., dict[str, Any]]
CANCEL = """mutation ($input: CancelSubscriptionInput!) { cancelSubscription(input: $input) {
    ... on CancelSubscriptionSuccess { cancellation { status subscription { id %s } } } ... on Problem { code message } } }"""
UNDO = """mutation ($id: ID!) { undoCancellation(input: {cancellationId: $id}) {
    ... on UndoCancellationSuccess { cancellation { status } } ... on Problem { code } } }"""


@contextmanager
def running(command: list[str], cwd: Path, environment: dict[str, str], log: Path) -> Iterator[None]:
    """A process until the block ends."""
    with log.open("w") as out, subprocess.Popen(command, cwd=cwd, env=environment, stdout=out, stderr=out) as process:
        try:
            yield
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Ask], dict[str, str]]]:
    """Both gateways' askers by name, and the demo's ids."""
    npm = need_npm("no graphene portal was joined")
    var = tmp_path_factory.mktemp("graphene")
    example = Path(shutil.copytree(ROOT / "examples" / "graphene_portal", var / "portal", ignore=_ARTIFACTS))
    python = str(var / "venv" / "bin" / "python")
    for command in (
        [sys.executable, "-m", "venv", str(var / "venv")],
        [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", "requirements.txt"],
        [npm, "ci", "--no-audit", "--no-fund"],
    ):
        done = subprocess.run(command, cwd=example, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    wayout_var = var / "wayout"
    wayout_var.mkdir()
    with ExitStack() as stack:
        port, environment = stack.enter_context(serve(wayout_var, WAYOUT_GATEWAY_SECRET=SECRET))
        known = facts(environment)
        own = {**os.environ, "PORTAL_DATABASE": str(var / "portal.sqlite3")}
        own.pop("DJANGO_SETTINGS_MODULE", None)
        for arguments in (
            ["migrate", "-v0"],
            ["makemigrations", "--check"],
            ["people", "contoso.example", known["ONLINE"]],
        ):
            subprocess.run([python, "manage.py", *arguments], cwd=example, env=own, check=True)
        portal = free_port()
        command = [python, "manage.py", "runserver", "--noreload", str(portal)]
        stack.enter_context(running(command, example, own, var / "portal.log"))
        wait_for(portal, "/graphql/?query={__typename}")
        asks = {}
        for name, options in (("federated", []), ("plain", ["--plain"])):
            gateway = free_port()
            given = {
                **os.environ,
                "WAYOUT": f"http://127.0.0.1:{port}",
                "PORTAL": f"http://127.0.0.1:{portal}",
                "PORT": str(gateway),
                "WAYOUT_GATEWAY_SECRET": SECRET,
                "WAYOUT_TOKENS": json.dumps({"contoso.example": known["WAYOUT_TOKEN"]}),
            }
            stack.enter_context(running(["node", "gateway.mjs", *options], example, given, var / f"{name}.log"))
            wait_for(gateway, "/graphql?query={__typename}")
            asks[name] = _asker(f"http://127.0.0.1:{gateway}/graphql")
        yield asks, known


_ARTIFACTS = shutil.ignore_patterns("node_modules", ".venv", "*.sqlite3", "__pycache__")


def _asker(url: str) -> Ask:
    def ask(query: str, authorization: str = "", **variables: Any) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", **({"Authorization": authorization} if authorization else {})}
        body = json.dumps({"query": query, "variables": variables}).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30) as answer:
                said: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as refused:
            said = json.load(refused)
        return said

    return ask


def maria(ask: Ask) -> str:
    """What she sends after signing in at the portal, through the gateway."""
    signed_in = ask('mutation { tokenAuth(username: "maria", password: "mariamaria") { token } }')
    return f"JWT {signed_in['data']['tokenAuth']['token']}"


def test_one_query_spans_both_as_a_subgraph(joined: tuple[dict[str, Ask], dict[str, str]]) -> None:
    asks, known = joined
    ask = asks["federated"]
    query = """{ me { username } projects { name subscription { name usedBy { name }
        cancellationOptions { route } } } subscriptions(first: 3) { edges { node { id usedBy { name } } } } }"""
    data = ask(query, maria(ask))["data"]
    assert data["me"] == {"username": "maria"}
    [project] = data["projects"]
    assert project == {
        "name": "Website",
        "subscription": {
            "name": "Team Chat", "usedBy": [{"name": "Website"}], "cancellationOptions": {"route": "CANCEL_ONLINE"},
        },
    }  # fmt: skip
    used = {edge["node"]["id"]: edge["node"]["usedBy"] for edge in data["subscriptions"]["edges"]}
    assert sum(map(len, used.values())) == int(known["ONLINE"] in used)


def test_one_query_spans_both_as_a_plain_schema(joined: tuple[dict[str, Ask], dict[str, str]]) -> None:
    asks, known = joined
    ask = asks["plain"]
    query = "query ($id: ID!) { projects { name subscriptionId } subscription(id: $id) { name } viewer { kind } }"
    data = ask(query, maria(ask), id=known["ONLINE"])["data"]
    assert data == {
        "projects": [{"name": "Website", "subscriptionId": known["ONLINE"]}],
        "subscription": {"name": "Team Chat"},
        "viewer": {"kind": "PARTNER"},
    }


@pytest.mark.parametrize("which", ["federated", "plain"])
def test_maria_cancels_what_was_quoted_and_takes_it_back(
    joined: tuple[dict[str, Ask], dict[str, str]], which: str
) -> None:
    asks, known = joined
    ask = asks[which]
    own = maria(ask)
    quotes = "query ($id: ID!) { cancellationOptions(subscriptionId: $id) { options { quotes { id mode } } } }"
    options = ask(quotes, own, id=known["ONLINE"])["data"]["cancellationOptions"]["options"]
    quote = next(q for option in options for q in option["quotes"] or () if q["mode"] == "IMMEDIATE")
    wanted = {"subscriptionId": known["ONLINE"], "quoteId": quote["id"], "idempotencyKey": f"portal-{which}"}
    theirs = "usedBy { name }" if which == "federated" else "name"
    done = ask(CANCEL % f"{theirs} cancellation {{ id }}", own, input=wanted)["data"]["cancelSubscription"]
    about = done["cancellation"]["subscription"]
    assert about["id"] == known["ONLINE"]
    if which == "federated":
        assert about["usedBy"] == [{"name": "Website"}]
    undone = ask(UNDO, own, id=about["cancellation"]["id"])["data"]["undoCancellation"]
    assert undone == {"cancellation": {"status": "UNDONE"}}


@pytest.mark.parametrize("which", ["federated", "plain"])
def test_each_side_gets_its_own_authorization_and_never_the_others(
    joined: tuple[dict[str, Ask], dict[str, str]], which: str
) -> None:
    asks, known = joined
    ask = asks[which]
    own = maria(ask)

    def code(authorization: str) -> str | None:
        answer = ask("{ viewer { kind } }", authorization)
        return answer["errors"][0]["extensions"]["code"] if "errors" in answer else None

    assert code(own) is None
    # Neither nobody, nor a forged token, nor the right one under the other prefix, nor Wayout's own from outside.
    for other in ("", f"{own}x", own.replace("JWT", "Bearer"), f"Bearer {known['WAYOUT_TOKEN']}"):
        assert code(other) == "NOT_AUTHENTICATED", other
        assert ask("{ me { username } }", "" if other.endswith("x") else other)["data"]["me"] is None
