"""Who really asks, behind proxies: X-Forwarded-For is believed as far as trusted proxies wrote it, from the right.

Each proxy writes on the right whom it heard from. So the first address from the right that is none of ours is the last thing that one of ours
saw itself; whatever stands further left a stranger may have sent. What cannot be read ends the walk, at the proxy that passed it on.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network
MOST_HOPS = 16


def networks(told: Sequence[str]) -> tuple[Network, ...]:
    """Addresses and networks as settings name them. Raises ValueError."""
    return tuple(ip_network(each) for each in told)


def client_of(peer: str, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """The address that guesses are counted under. `peer`: who is connected; `forwarded`: the values of the header, in their order."""
    found = _address(peer)
    if found is None or not _is_one(found, trusted):
        return peer
    for each in reversed(",".join(forwarded).split(",")[-MOST_HOPS:]):
        before = _address(each.strip(" \t"))
        if before is None:
            break
        found = before
        if not _is_one(found, trusted):
            break
    return str(found)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address without port or zone; one that is an IPv4 address in IPv6's clothes is that IPv4 address."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        return None if found.scope_id else found.ipv4_mapped or found
    return found


def _is_one(address: IPv4Address | IPv6Address, trusted: Sequence[Network]) -> bool:
    return any(address.version == each.version and address in each for each in trusted)
