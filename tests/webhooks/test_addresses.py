"""Where events are sent, and where never: whatever a name resolves to, and whatever an address is written like."""

from __future__ import annotations

import itertools
import socket
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.partners import Partner
from webhooks.backoff import wait_of_delivery, wait_of_receiver
from webhooks.errors import AddressRefused
from webhooks.sending import check_url, is_public, post

PRIVATE = [
    "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
    "224.0.0.1", "255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2001:0:7f00:1::",
    "2001:db8::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@given(st.integers(min_value=0, max_value=2**24 - 1))
def test_no_address_of_ten_is_public_however_it_is_wrapped(rest: int) -> None:
    dotted = f"10.{rest >> 16}.{rest >> 8 & 255}.{rest & 255}"
    assert not any(map(is_public, (dotted, f"::ffff:{dotted}", f"64:ff9b::{dotted}")))


@pytest.mark.parametrize(
    ("url", "refusal"),
    [
        ("", "MALFORMED"),
        ("hooks", "MALFORMED"),
        ("https://", "MALFORMED"),
        ("https://user:secret@partner.example/", "MALFORMED"),
        ("https://partner.example/#part", "MALFORMED"),
        ("https://partner.example:99999/", "MALFORMED"),
        ("https://[::1/", "MALFORMED"),
        ("https://partner.example/a b", "MALFORMED"),
        ("https://partner.example/\r\nHost: other", "MALFORMED"),
        ("https://пример.example/", "MALFORMED"),
        ("http://partner.example/", "NOT_HTTPS"),
        ("ftp://partner.example/", "NOT_HTTPS"),
        ("file:///etc/passwd", "MALFORMED"),
        ("https://localhost/", "PRIVATE"),
        ("https://intranet/", "PRIVATE"),
        ("https://printer.local/", "PRIVATE"),
        ("https://127.0.0.1/", "PRIVATE"),
        ("https://[::ffff:10.0.0.1]/", "PRIVATE"),
        ("https://2130706433/", "PRIVATE"),
    ],
)
def test_addresses_that_are_refused(url: str, refusal: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        check_url(url, private=False)
    assert refused.value.problem == refusal


def test_an_address_that_is_taken() -> None:
    check_url("https://hooks.partner.example:8443/wayout?x=1", private=False)
    check_url("http://127.0.0.1:8000/", private=True)


@pytest.mark.django_db
@pytest.mark.parametrize("resolved", [["127.0.0.1"], ["1.1.1.1", "10.0.0.1"], ["::ffff:192.168.0.1"]])
def test_a_public_name_of_a_private_machine_is_not_asked(
    partner: Partner, settings: Any, monkeypatch: pytest.MonkeyPatch, resolved: list[str]
) -> None:
    settings.WAYOUT_WEBHOOK_PRIVATE = False
    port = int(partner.receiver.url.rpartition(":")[2].partition("/")[0])
    asked: list[str] = []

    def resolve(host: str, *_: Any, **__: Any) -> Any:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in resolved]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    answer = post(f"https://hooks.partner.example:{port}/hook", b"{}", {}, seconds=1, private=False)
    assert (answer.status, answer.problem) == (None, "PRIVATE")
    assert asked == ["hooks.partner.example"]
    assert partner.receiver.asked == 0


def test_waits_grow_and_end() -> None:
    waits = [wait_of_delivery(attempts) for attempts in range(1, 13)]
    assert all(a and b and a < b for a, b in itertools.pairwise(waits))
    assert wait_of_delivery(13) is None
    total = sum((wait for wait in waits if wait), timedelta(0))
    assert timedelta(days=3) < total < timedelta(days=4)
    assert all(wait_of_receiver(failures) <= timedelta(minutes=11) for failures in range(1, 1000))
