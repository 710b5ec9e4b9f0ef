"""Which addresses may be connected to, and how addresses are spelled."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sinks.addresses import METADATA, SPECIAL, Range, refuse_address, spelled_address

V4 = st.integers(0, 2**32 - 1).map(IPv4Address)
V6 = st.integers(0, 2**128 - 1).map(IPv6Address)
PUBLIC = ["8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.0", "172.32.0.1", "192.0.1.1", "198.20.0.1"]


@pytest.mark.parametrize("address", [*PUBLIC, "2606:4700:4700::1111", "2a00:1450:4001:81b::200e"])
def test_public_addresses_may_be_connected_to(address: str) -> None:
    assert refuse_address(address) is None


@pytest.mark.parametrize("found", [*METADATA, *SPECIAL], ids=lambda found: str(found.network))
def test_the_first_and_the_last_address_of_each_range_are_refused(found: Range) -> None:
    assert refuse_address(str(found.network[0]))
    assert refuse_address(str(found.network[-1]))


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("0.0.0.0", "unspecified"),
        ("10.1.2.3", "private"),
        ("100.64.0.1", "carrier"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("169.254.1.1", "link-local"),
        ("169.254.169.254", "metadata"),
        ("169.254.170.2", "metadata"),
        ("100.100.100.200", "metadata"),
        ("168.63.129.16", "metadata"),
        ("192.168.1.1", "private"),
        ("255.255.255.255", "reserved"),
        ("224.0.0.251", "multicast"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::127.0.0.1", "IPv4-compatible"),
        ("::8.8.8.8", "IPv4-compatible"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:a9fe:a9fe", "metadata"),
        ("::ffff:0:127.0.0.1", "no public network"),
        ("64:ff9b::a00:1", "private"),
        ("64:ff9b::169.254.169.254", "metadata"),
        ("64:ff9b:1::a00:1", "translator"),
        ("2002:a00:1::1", "6to4"),
        ("2002:808:808::1", "6to4"),
        ("2001:0:808:808::1", "Teredo"),
        ("fd00::1", "private"),
        ("fd00:ec2::254", "metadata"),
        ("fe80::1", "link-local"),
        ("fec0::1", "site-local"),
        ("ff02::1", "multicast"),
        ("2001:db8::1", "documentation"),
        ("4000::1", "no public network"),
        ("fe80::1%eth0", "scope id"),
        ("2606:4700:4700::1111%1", "scope id"),
        ("localhost", "no IP address"),
        ("127.1", "no IP address"),
        ("", "no IP address"),
    ],
)
def test_other_addresses_are_refused_by_what_they_are(address: str, why: str) -> None:
    assert why in (refuse_address(address) or "")


@pytest.mark.parametrize("address", ["::ffff:8.8.8.8", "64:ff9b::8.8.8.8"])
def test_an_address_is_what_it_leads_to(address: str) -> None:
    assert refuse_address(address) is None


@given(address=st.one_of(V4, V6))
def test_what_the_standard_library_calls_not_global_is_refused(address: IPv4Address | IPv6Address) -> None:
    translated = isinstance(address, IPv6Address) and (
        address.ipv4_mapped is not None or address in ip_network("64:ff9b::/96")
    )
    if not address.is_global and not translated:
        assert refuse_address(str(address))


@given(inner=V4)
def test_an_address_inside_another_is_judged_alike(inner: IPv4Address) -> None:
    for outer in (f"::ffff:{inner}", f"64:ff9b::{inner}"):
        assert refuse_address(outer) == refuse_address(str(inner))


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "10.1.0.0/16"),
        ("127.0.0.1", "127.0.0.0/8"),
        ("::1", "::1/128"),
        ("fd12::1", "fd12::/16"),
        ("::ffff:10.1.2.3", "10.1.0.0/16"),
        ("64:ff9b::10.1.2.3", "10.1.0.0/16"),
        ("64:ff9b:1::a00:1", "64:ff9b:1::/48"),
        ("169.254.169.254", "169.254.169.254/32"),
        ("fd00:ec2::254", "fd00:ec2::254/128"),
    ],
)
def test_a_network_that_is_allowed_lifts_the_refusal(address: str, network: str) -> None:
    assert refuse_address(address)
    assert refuse_address(address, [ip_network("192.0.2.0/24"), ip_network(network)]) is None


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.2.0.1", "10.1.0.0/16"),
        ("::1", "127.0.0.0/8"),
        ("2002:a01:203::1", "10.1.0.0/16"),  # goes to a relay, not to 10.1.2.3
        ("fe80::1%eth0", "fe80::/10"),
        # Who allows a large network has not thought of these.
        ("169.254.169.254", "169.254.0.0/16"),
        ("100.100.100.200", "100.64.0.0/10"),
        ("fd00:ec2::254", "fc00::/7"),
        ("::ffff:169.254.169.254", "0.0.0.0/0"),
    ],
)
def test_what_is_allowed_is_no_more_than_what_was_meant(address: str, network: str) -> None:
    assert refuse_address(address, [ip_network(network)])


SPELLINGS = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0X7F.1",
    "0x7f.0x0.0x0.0x1",
    "0177.0.0.1",
    "0177.0.0x0.01",
    "017700000001",
    "00000000000000000000177.1",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_address_is_known_in_every_spelling(spelling: str) -> None:
    assert spelled_address(spelling) == "127.0.0.1"


@pytest.mark.parametrize(
    "name", ["example.com", "localhost", "a1", "0x7f.example", "1.2.3.4.example", "xn--p1ai", "-1", "1_0"]
)
def test_a_name_is_no_address(name: str) -> None:
    assert spelled_address(name) is None


@pytest.mark.parametrize(
    "host",
    [
        "1.2.3.4.5",
        "256.0.0.1",
        "1.2.3.256",
        "1.65536.1",
        "4294967296",
        "08",
        "1..2",
        "0xg",
        "a.1",
        "0x_1",
        "+1.1",
    ],
)
def test_what_ends_in_a_number_and_is_no_address_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="not an IPv4 address"):
        spelled_address(host)


SPELLED = r"(0x[0-9a-f]{1,9}|0[0-7]{1,12}|[0-9]{1,11})(\.(0x[0-9a-f]{1,3}|[0-9]{1,4})){0,4}"


@given(host=st.from_regex(SPELLED, fullmatch=True))
def test_addresses_are_those_that_the_system_takes_them_for(host: str) -> None:
    try:
        system = socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return
    assert spelled_address(host) == system
