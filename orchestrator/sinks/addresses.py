"""Which IP addresses are nobody's business to call: everything that is not one host of the public internet.

The standard library's `is_global` changed its mind between patch versions of Python, so the ranges are here,
after IANA's registries of special-purpose addresses, each with its source.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


class Range(NamedTuple):
    """Addresses that are refused, what they are, and where that is written."""

    network: Network
    words: str
    source: str


def _ranges(*rows: tuple[str, str, str]) -> tuple[Range, ...]:
    return tuple(Range(ip_network(network), words, source) for network, words, source in rows)


# Whoever can call one of these from a cloud machine may get that machine's credentials.
METADATA = _ranges(
    ("169.254.169.254/32", "a cloud metadata address", "AWS, Azure, Google Cloud and others"),
    ("169.254.170.2/32", "a cloud metadata address", "AWS, tasks of ECS"),
    ("169.254.170.23/32", "a cloud metadata address", "AWS, pods of EKS"),
    ("100.100.100.200/32", "a cloud metadata address", "Alibaba Cloud"),
    ("168.63.129.16/32", "a cloud metadata address", "Azure, in a public range"),
    ("192.0.0.192/32", "a cloud metadata address", "Oracle Cloud"),
    ("fd00:ec2::23/128", "a cloud metadata address", "AWS, pods of EKS"),
    ("fd00:ec2::254/128", "a cloud metadata address", "AWS"),
    ("fd20:ce::254/128", "a cloud metadata address", "Google Cloud"),
)

SPECIAL = _ranges(
    ("0.0.0.0/8", "an unspecified address", "RFC 791"),
    ("10.0.0.0/8", "a private address", "RFC 1918"),
    ("100.64.0.0/10", "a carrier's shared address", "RFC 6598"),
    ("127.0.0.0/8", "a loopback address", "RFC 1122"),
    ("169.254.0.0/16", "a link-local address", "RFC 3927"),
    ("172.16.0.0/12", "a private address", "RFC 1918"),
    ("192.0.0.0/24", "a protocol's own address", "RFC 6890"),
    ("192.0.2.0/24", "an address for documentation", "RFC 5737"),
    ("192.88.99.0/24", "a 6to4 relay's address", "RFC 7526"),
    ("192.168.0.0/16", "a private address", "RFC 1918"),
    ("198.18.0.0/15", "an address for benchmarks", "RFC 2544"),
    ("198.51.100.0/24", "an address for documentation", "RFC 5737"),
    ("203.0.113.0/24", "an address for documentation", "RFC 5737"),
    ("224.0.0.0/4", "a multicast address", "RFC 5771"),
    ("240.0.0.0/4", "a reserved address", "RFC 1112"),
    ("::/128", "an unspecified address", "RFC 4291"),
    ("::1/128", "a loopback address", "RFC 4291"),
    ("::/96", "an IPv4-compatible address", "RFC 4291"),
    ("64:ff9b:1::/48", "a translator's local address", "RFC 8215"),
    ("2001::/32", "a Teredo tunnel's address", "RFC 4380"),
    ("2001::/23", "a protocol's own address", "RFC 2928"),
    ("2001:db8::/32", "an address for documentation", "RFC 3849"),
    ("2002::/16", "a 6to4 tunnel's address", "RFC 3056"),
    ("3fff::/20", "an address for documentation", "RFC 9637"),
    ("fc00::/7", "a private address", "RFC 4193"),
    ("fe80::/10", "a link-local address", "RFC 4291"),
    ("fec0::/10", "a site-local address", "RFC 3879"),
    ("ff00::/8", "a multicast address", "RFC 4291"),
)

GLOBAL_UNICAST = IPv6Network("2000::/3")  # IANA has given out nothing else (RFC 4291, section 2.4)
NAT64 = IPv6Network("64:ff9b::/96")  # how hosts without IPv4 reach all of it (RFC 6052)


def refuse_address(address: str, allow: Sequence[Network] = ()) -> str | None:
    """Why an IP address may not be connected to, as in "a loopback address"; None if it may.

    A network in `allow` lifts the refusal of its addresses; that of a metadata address only if it names just
    this one. An IPv4 address inside an IPv6 one counts where packets to it go straight there, which is for
    mapped ones and NAT64. Tunnels are refused whatever is inside.
    """
    if "%" in address:
        return "an address with a scope id"
    try:
        given = ip_address(address)
    except ValueError:
        return "no IP address"
    meant = _meant(given)
    for found in METADATA:
        if meant in found.network:
            exact = [one for one in allow if one.num_addresses == 1]
            return None if _within(exact, given, meant) else found.words
    return None if _within(allow, given, meant) else _special(meant)


def _meant(address: Address) -> Address:
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address


def _within(networks: Sequence[Network], *addresses: Address) -> bool:
    return any(address in network for network in networks for address in addresses)


def _special(address: Address) -> str | None:
    for found in SPECIAL:
        if address in found.network:
            return found.words
    if isinstance(address, IPv6Address) and address not in GLOBAL_UNICAST:
        return "an address of no public network"
    return None


def spelled_address(host: str) -> str | None:
    """The address that a host of a URL is, in its usual spelling; None for a name. Raises ValueError.

    `127.1`, `2130706433`, `0x7f000001` and `0177.0.0.1` are all taken for 127.0.0.1 by what resolves names
    (inet_aton), and by browsers. What ends in a number is an address, or nothing: no top-level domain does.
    """
    if ":" in host:
        if "%" in host:
            raise ValueError("leads to an address with a scope id")
        return str(IPv6Address(host))
    if not _numeric(host.rpartition(".")[2]):
        return None
    try:
        return str(IPv4Address(_ipv4(host.split("."))))
    except ValueError:
        raise ValueError("ends in a number, but is not an IPv4 address") from None


def _numeric(label: str) -> bool:
    return label.isascii() and (label.isdigit() or label[:2].lower() == "0x")


def _ipv4(parts: list[str]) -> int:
    *first, last = [_number(part) for part in parts]
    if len(first) > 3 or any(byte > 255 for byte in first) or last >= 256 ** (4 - len(first)):
        raise ValueError
    return sum(byte << 8 * (3 - place) for place, byte in enumerate(first)) + last


def _number(part: str) -> int:
    if not (part.isascii() and part.isalnum()):  # int() takes signs, spaces and underscores
        raise ValueError
    if part[:2].lower() == "0x":
        return int(part[2:] or "0", 16)
    return int(part, 8) if part[0] == "0" else int(part)
