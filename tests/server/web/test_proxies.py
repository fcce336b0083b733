"""The client's address behind proxies: believed from the right as far as proxies of ours wrote it, and used where guesses are counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawing.errors import Refused
from server.config import Settings, load
from server.handlers.proxies import MOST_HOPS, client_of, networks

OURS = networks(("10.0.0.0/8", "127.0.0.1", "fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", (), "203.0.113.9"),
        ("203.0.113.9", ("198.51.100.1",), "203.0.113.9"),  # a stranger says what it likes
        ("127.0.0.1", (), "127.0.0.1"),
        ("127.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("127.0.0.1", ("1.2.3.4, 198.51.100.1",), "198.51.100.1"),  # the left was sent by the client
        ("127.0.0.1", ("1.2.3.4", "198.51.100.1"), "198.51.100.1"),  # two headers are one list
        ("127.0.0.1", ("198.51.100.1, 10.1.1.1,10.2.2.2",), "198.51.100.1"),
        ("127.0.0.1", ("10.1.1.1, 10.2.2.2",), "10.1.1.1"),  # from inside
        ("127.0.0.1", ("198.51.100.1, nonsense",), "127.0.0.1"),
        ("127.0.0.1", ("nonsense, 198.51.100.1",), "198.51.100.1"),
        ("127.0.0.1", ("198.51.100.1:443",), "127.0.0.1"),
        ("127.0.0.1", ("",), "127.0.0.1"),
        ("127.0.0.1", ("198.51.100.1, nonsense, 10.0.0.3",), "10.0.0.3"),
        ("::ffff:127.0.0.1", ("::ffff:198.51.100.1",), "198.51.100.1"),
        ("fd00::1", ("2001:db8::1",), "2001:db8::1"),
        ("fd00::1", ("fe80::1%eth0",), "fd00::1"),
        ("nowhere", ("198.51.100.1",), "nowhere"),
    ],
)
def test_the_right_most_address_that_is_not_ours_is_the_client(peer, forwarded, client):
    assert client_of(peer, forwarded, OURS) == client


def test_without_trusted_proxies_the_header_says_nothing():
    assert client_of("127.0.0.1", ("198.51.100.1",), ()) == "127.0.0.1"


@given(st.text(max_size=200), st.ip_addresses(v=4))
def test_whatever_a_client_sends_its_own_address_is_what_our_proxy_wrote(sent, address):
    if not any(address in each for each in OURS if each.version == 4):
        assert client_of("127.0.0.1", (sent, str(address)), OURS) == str(address)


def test_a_long_list_is_read_from_the_right_so_far():
    assert client_of("127.0.0.1", (", ".join(["198.51.100.1", *["10.0.0.1"] * MOST_HOPS]),), OURS) == "10.0.0.1"


@pytest.mark.parametrize("wrong", ["'nobody'", "'0.0.0.0/0'", "'10.0.0.1/8'", "'::/0'"])
def test_proxies_that_cannot_be_meant_stop_the_start(wrong, tmp_path):
    (tmp_path / "lotroom.toml").write_text(f"trusted_proxies = [{wrong}]\ninsecure_demo = true\n", "utf-8")
    with pytest.raises(Refused, match="bad_setting"):
        load({}, tmp_path)
    assert Settings(trusted_proxies=("10.0.0.0/8",), insecure_demo=True).trusted_proxies == ("10.0.0.0/8",)
