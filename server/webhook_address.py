"""Which addresses webhooks go to: https everywhere but on this machine in a demonstration, and no private network that the settings do not name.

No network here: whoever connects asks `may_connect` of each address that a name has, so that a name cannot turn into another one meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from drawing.errors import Refused

MOST_ADDRESS = 300


@dataclass(frozen=True, slots=True)
class Reach:
    """`demo`: this machine counts, over http too. `networks`: private ones that may be reached."""

    demo: bool = False
    networks: tuple[str, ...] = ()

    def may_connect(self, address: str) -> bool:
        """Whether a socket may go there."""
        try:
            found = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        inner = getattr(found, "ipv4_mapped", None) or found
        if self.demo and inner.is_loopback:
            return True
        return (inner.is_global and not inner.is_multicast) or any(_within(inner, each) for each in self.networks)


def _within(address: IPv4Address | IPv6Address, network: str) -> bool:
    known = ip_network(network)
    return address.version == known.version and address in known


def check_address(address: str, reach: Reach) -> None:
    """Raises Refused: webhook_address, webhook_not_https, webhook_private."""
    try:
        found = urlsplit(address)
        host, _ = found.hostname or "", found.port
    except ValueError:
        host, found = "", urlsplit("")
    plain = address.isascii() and address.isprintable() and " " not in address and len(address) <= MOST_ADDRESS
    if not host or not plain or found.username is not None or found.password is not None or found.fragment:
        raise Refused("webhook_address", "address", most=MOST_ADDRESS)
    local = host == "localhost" or _is_loopback(host)
    if found.scheme != "https" and not (found.scheme == "http" and reach.demo and local):
        raise Refused("webhook_not_https", "address")
    literal = _literal(host)
    if (local and not reach.may_connect("127.0.0.1")) or (literal and not reach.may_connect(host)):
        raise Refused("webhook_private", "address")


def _literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return _literal(host) and ip_address(host).is_loopback


def allowed(addresses: Sequence[str], reach: Reach) -> bool:
    """Whether a name whose addresses are these may be connected to: all of them have to be good."""
    return bool(addresses) and all(reach.may_connect(each) for each in addresses)
