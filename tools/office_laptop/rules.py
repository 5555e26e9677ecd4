"""The rules of the office laptop, one line each, layered as Windows Firewall layers its own.

Permits of the active profile have weight 9, over its default at 8; rules of the other profiles 4, over the default of
last resort at 3; what an administrator forbids 10. Left out on purpose, because a capture cannot tell what they ask:
the quarantine of interfaces that are not yet identified, and the block of Teredo's interface outside boot time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tools.office_laptop.conditions import (
    ANY_PACKAGE,
    BAD_HOST,
    BEYOND,
    CLOUD,
    DHCP_PORTS,
    DOMAIN,
    NOT_RPC,
    NOW_PRIVATE,
    PRIVATE,
    PUBLIC,
    SUBNET,
    TEREDO,
    Wanted,
    all_set,
    app,
    capability,
    condition,
    icmp,
    local_port,
    local_ports,
    none_set,
    profile,
    protocol,
    remote_port,
    remote_ports,
    service,
    services,
    user,
)
from tools.office_laptop.objects import (
    BROWSER,
    CHAT,
    GAME,
    ICMP,
    ICMPV6,
    IGMP,
    RECIPES,
    SENSOR,
    SPOOLER,
    SVCHOST,
    SYSTEM,
    TCP,
    UDP,
)

from tamiz.model._tables import ConditionFlags, FilterFlags
from tamiz.model.objects import ActionType
from tamiz.model.sids import NULL_SID
from tamiz.model.values import EMPTY, Value, sid_value, u8, u32, u64

PERMIT, BLOCK = ActionType.PERMIT, ActionType.BLOCK
INSPECT, ASK, TERMINATE = (
    ActionType.CALLOUT_INSPECTION,
    ActionType.CALLOUT_UNKNOWN,
    ActionType.CALLOUT_TERMINATING,
)
LOOPBACK, SECURED = ConditionFlags.IS_LOOPBACK, ConditionFlags.IS_IPSEC_SECURED
INTERNET_CLIENT, INTERNET_SERVER, PRIVATE_NETWORK = "S-1-15-3-1", "S-1-15-3-2", "S-1-15-3-3"

ACTIVE, ACTIVE_DEFAULT, OTHER, LAST, BOOT = u8(9), u8(8), u8(4), u8(3), u8(0)
ADMIN: Final = u8(10)
TOP: Final = u64(2**64 - 1)
NEXT_TO_TOP: Final = u64(2**64 - 2)

CONNECT, ACCEPT = "ALE_AUTH_CONNECT_V{}", "ALE_AUTH_RECV_ACCEPT_V{}"
BIND, LISTEN = "ALE_RESOURCE_ASSIGNMENT_V{}", "ALE_AUTH_LISTEN_V{}"
STEALTH, ERROR_OUT, ERROR_IN = (
    "INBOUND_TRANSPORT_V{}_DISCARD",
    "OUTBOUND_ICMP_ERROR_V{}",
    "INBOUND_ICMP_ERROR_V{}",
)

ISOLATION, QUARANTINE, HARDENING = "MPSSVC_APP_ISOLATION", "MPSSVC_QUARANTINE", "MPSSVC_WSH"
FIREWALL, EDGE, THIRD = "MPSSVC_WF", "TEREDO", "Quillstone"


@dataclass(frozen=True)
class Rule:
    """One line of the policy; it becomes a filter for each IP version, in the layer of that version."""

    layer: str
    sublayer: str
    name: str
    action: ActionType
    weight: Value
    conditions: tuple[Wanted, ...] = ()
    versions: tuple[int, ...] = (4, 6)
    flags: FilterFlags = FilterFlags.NONE
    default: bool = False
    callout: str = ""


BOOTTIME, PERSISTENT, HARD = FilterFlags.BOOTTIME, FilterFlags.PERSISTENT, FilterFlags.CLEAR_ACTION_RIGHT
WF_CALLOUT: Final = "Windows Firewall: callout"
SILENT_DROP: Final = "FWPM_CALLOUT_WFP_TRANSPORT_LAYER_V{}_SILENT_DROP"


# fmt: off


def _third_party() -> Iterator[Rule]:
    yield Rule(CONNECT, THIRD, "Sensor reaches its cloud", PERMIT, u8(12),
               (app(SENSOR), CLOUD, protocol(TCP), remote_port(443)), flags=HARD)
    yield Rule(CONNECT, THIRD, "Known command server", BLOCK, u8(10), (BAD_HOST,))
    yield Rule("ALE_FLOW_ESTABLISHED_V{}", THIRD, "Sensor notes the flow", INSPECT, EMPTY,
               (condition("DIRECTION", u32(0)), condition("DIRECTION", u32(1)), protocol(TCP), protocol(UDP)),
               callout="flow")


def _isolation() -> Iterator[Rule]:
    own_loopback = ConditionFlags.IS_NON_APPCONTAINER_LOOPBACK
    for layer, way in ((CONNECT, "outbound"), (ACCEPT, "inbound")):
        yield Rule(layer, ISOLATION, f"Ordinary loopback, {way}", PERMIT, TOP, (all_set(own_loopback),))
        yield Rule(layer, ISOLATION, f"Loopback of a package, {way}", BLOCK, NEXT_TO_TOP,
                   (all_set(LOOPBACK), capability("AC", INTERNET_CLIENT, INTERNET_SERVER, PRIVATE_NETWORK)),
                   default=True)
        yield Rule(layer, ISOLATION, f"Packages with the private network, {way}", PERMIT, EMPTY,
                   (ANY_PACKAGE, SUBNET, *NOW_PRIVATE, capability(PRIVATE_NETWORK)))
        yield Rule(layer, ISOLATION, f"Packages that serve the internet, {way}", PERMIT, EMPTY,
                   (ANY_PACKAGE, BEYOND, *NOW_PRIVATE, capability(INTERNET_SERVER)))
        yield Rule(layer, ISOLATION, f"Every other package, {way}", BLOCK, EMPTY,
                   (ANY_PACKAGE, profile("ORIGINAL_PROFILE_ID", PRIVATE)), default=True)
    yield Rule(CONNECT, ISOLATION, "Packages that use the internet", PERMIT, EMPTY,
               (ANY_PACKAGE, BEYOND, *NOW_PRIVATE, capability(INTERNET_CLIENT)))


def _quarantine() -> Iterator[Rule]:
    yield Rule(ACCEPT, QUARANTINE, "Quarantine lets loopback in", PERMIT, TOP, (all_set(LOOPBACK),),
               flags=PERSISTENT, default=True)
    yield Rule(ACCEPT, QUARANTINE, "Quarantine lets the address server answer", PERMIT, u8(1),
               (protocol(UDP), DHCP_PORTS, none_set(LOOPBACK)), flags=PERSISTENT, default=True)


def _hardening() -> Iterator[Rule]:
    """What a service may do by itself: permits for its SID, and a block for the rest of what it does."""
    hardened = ("Dhcp", "Dnscache", "WinDefend")
    yield Rule(CONNECT, HARDENING, "Dhcp asks for an address", PERMIT, EMPTY,
               (app(SVCHOST), service("Dhcp"), protocol(UDP), DHCP_PORTS))
    yield Rule(ACCEPT, HARDENING, "Dhcp hears the answer", PERMIT, EMPTY,
               (app(SVCHOST), service("Dhcp"), DHCP_PORTS, protocol(UDP)))
    for number, name in ((UDP, "UDP"), (TCP, "TCP")):
        yield Rule(CONNECT, HARDENING, f"Dnscache asks names over {name}", PERMIT, EMPTY,
                   (app(SVCHOST), service("Dnscache"), protocol(number), remote_port(53)))
    yield Rule(CONNECT, HARDENING, "WinDefend fetches definitions", PERMIT, EMPTY,
               (app(SVCHOST), service("WinDefend"), protocol(TCP), remote_port(443)))
    yield Rule(CONNECT, HARDENING, "Hardened services, everything else outbound", BLOCK, EMPTY,
               (app(SVCHOST), services(*hardened)), default=True)
    yield Rule(ACCEPT, HARDENING, "Hardened services, every other dynamic port", BLOCK, EMPTY,
               (app(SVCHOST), services(*hardened), local_ports(49152, 65535)), default=True)


def _defaults() -> Iterator[Rule]:
    yield Rule(CONNECT, FIREWALL, "Loopback, outbound", PERMIT, TOP, (all_set(LOOPBACK),),
               flags=PERSISTENT, default=True)
    yield Rule(CONNECT, FIREWALL, "Default outbound, private profile", PERMIT, ACTIVE_DEFAULT, NOW_PRIVATE)
    yield Rule(CONNECT, FIREWALL, "Default outbound, last resort", PERMIT, LAST)
    yield Rule(ACCEPT, FIREWALL, "Ordinary loopback, inbound", PERMIT, TOP,
               (all_set(ConditionFlags.IS_NON_APPCONTAINER_LOOPBACK),
                condition("ALE_PACKAGE_ID", sid_value(NULL_SID))), flags=PERSISTENT, default=True)
    yield Rule(ACCEPT, FIREWALL, "Default inbound, private profile", BLOCK, ACTIVE_DEFAULT,
               (profile("ORIGINAL_PROFILE_ID", PRIVATE),), default=True)
    yield Rule(ACCEPT, FIREWALL, "Default inbound, last resort", BLOCK, LAST, default=True)
    for weight, when in ((ACTIVE_DEFAULT, "private profile"), (LAST, "last resort")):
        yield Rule(BIND, FIREWALL, f"Ask the user about a UDP port, {when}", ASK, weight,
                   (protocol(UDP), none_set(LOOPBACK | ConditionFlags.IS_WILDCARD_BIND)),
                   default=True, callout=WF_CALLOUT)
        yield Rule(LISTEN, FIREWALL, f"Ask the user about a listener, {when}", ASK, weight,
                   (none_set(LOOPBACK),), default=True, callout=WF_CALLOUT)
    for layer in (CONNECT, ACCEPT):
        yield Rule(layer + "_DISCARD", FIREWALL, "Log what was blocked", INSPECT, TOP, callout=WF_CALLOUT)


def _boot() -> Iterator[Rule]:
    """In force before the filter engine's service runs, and their persistent twins."""
    for flag, when in ((BOOTTIME, "before the service"), (PERSISTENT, "while it starts")):
        for layer in (ACCEPT, ERROR_IN):
            yield Rule(layer, FIREWALL, f"Nothing comes in {when}", BLOCK, BOOT, flags=flag, default=True)
        yield Rule(ERROR_IN, FIREWALL, f"Loopback errors {when}", PERMIT, TOP, (all_set(LOOPBACK),),
                   flags=flag, default=True)
    yield Rule(ACCEPT, FIREWALL, "Loopback of packages before the service", PERMIT, TOP,
               (all_set(ConditionFlags.IS_APPCONTAINER_LOOPBACK),), flags=BOOTTIME)
    yield Rule(ACCEPT, EDGE, "No Teredo before the service", BLOCK, BOOT, (*TEREDO, none_set(LOOPBACK)),
               flags=BOOTTIME, default=True)
    yield Rule("IPFORWARD_V{}", FIREWALL, "Nothing is forwarded before the service", BLOCK, BOOT,
               (none_set(ConditionFlags.IS_OUTBOUND_PASS_THRU | ConditionFlags.IS_INBOUND_PASS_THRU),),
               flags=BOOTTIME, default=True)


def _stealth() -> Iterator[Rule]:
    """A port scan of a laptop that is not in the domain gets no answer: no RST, no unreachable error."""
    current, nexthop = "CURRENT_PROFILE_ID", "NEXTHOP_INTERFACE_PROFILE_ID"
    for which in (PRIVATE, PUBLIC):
        yield Rule(STEALTH, FIREWALL, f"No RST, {which.name.lower()} profile", TERMINATE, TOP,
                   (none_set(LOOPBACK | SECURED), profile(current, which)), default=True,
                   callout=SILENT_DROP)
    yield Rule(STEALTH, FIREWALL, "RST in the domain", PERMIT, TOP,
               (none_set(LOOPBACK), profile(current, DOMAIN)), default=True)
    yield Rule(STEALTH, FIREWALL, "No RST, last resort", TERMINATE, u8(12), (none_set(LOOPBACK | SECURED),),
               default=True, callout=SILENT_DROP)
    hidden = {4: ((3, 0, 3), (3, 5, 12)), 6: ((1, 0, 255), (4, 0, 2))}
    for version, errors in hidden.items():
        for kind, low, high in errors:
            yield Rule(ERROR_OUT, FIREWALL, f"No error of type {kind}, codes {low} to {high}", BLOCK, TOP,
                       (none_set(LOOPBACK), profile(nexthop, PRIVATE), local_port(kind), remote_ports(low, high)),
                       versions=(version,), default=True)
    yield Rule(
        ERROR_OUT, FIREWALL, "Errors, private profile", PERMIT, ACTIVE_DEFAULT, (profile(nexthop, PRIVATE),)
    )
    yield Rule(ERROR_OUT, FIREWALL, "Errors, last resort", PERMIT, LAST)
    yield Rule(ERROR_IN, FIREWALL, "Errors from outside, private profile", BLOCK, ACTIVE_DEFAULT,
               (profile("ARRIVAL_INTERFACE_PROFILE_ID", PRIVATE),), default=True)
    yield Rule(ERROR_IN, FIREWALL, "Errors from outside, last resort", BLOCK, LAST, default=True)


def _core_networking() -> Iterator[Rule]:
    yield Rule(
        ERROR_IN, FIREWALL, "Fragmentation needed", PERMIT, ACTIVE, (local_port(3), remote_port(4)), (4,)
    )
    for kind, name in (
        (1, "Unreachable"),
        (2, "Packet too big"),
        (3, "Time exceeded"),
        (4, "Parameter problem"),
    ):
        yield Rule(ERROR_IN, FIREWALL, name, PERMIT, ACTIVE, (local_port(kind),), (6,))
    yield Rule(ACCEPT, FIREWALL, "Address server (DHCP)", PERMIT, ACTIVE,
               (app(SVCHOST), service("Dhcp"), DHCP_PORTS, protocol(UDP)))
    yield Rule(
        ACCEPT, FIREWALL, "Group membership (IGMP)", PERMIT, ACTIVE, (app(SYSTEM), protocol(IGMP)), (4,)
    )
    neighbours = {
        130: "Listener query", 131: "Listener report", 132: "Listener done", 143: "Listener report, version 2",
        133: "Router solicitation", 134: "Router advertisement", 135: "Neighbour solicitation",
        136: "Neighbour advertisement",
    }
    for kind, name in neighbours.items():
        yield Rule(ACCEPT, FIREWALL, name, PERMIT, ACTIVE, (icmp(kind), protocol(ICMPV6)), (6,))
    yield Rule(ACCEPT, EDGE, "Update sharing over Teredo", PERMIT, ACTIVE,
               (app(SVCHOST), service("DoSvc"), local_port(7680), protocol(UDP), *TEREDO))
    yield Rule(LISTEN, EDGE, "Update sharing listens for Teredo", TERMINATE, ACTIVE,
               (app(SVCHOST), service("DoSvc"), local_port(7680)), (4,),
               callout="FWPM_CALLOUT_EDGE_TRAVERSAL_ALE_LISTEN_V{}")


def _sharing() -> Iterator[Rule]:
    """File and printer sharing, names and pings, for the office's own network; remote control in the domain only."""
    yield Rule(
        ACCEPT, FIREWALL, "Ping from the office", PERMIT, ACTIVE, (icmp(8), SUBNET, protocol(ICMP)), (4,)
    )
    yield Rule(ACCEPT, FIREWALL, "Ping in the domain", PERMIT, OTHER, (icmp(128), protocol(ICMPV6)), (6,))
    yield Rule(ACCEPT, FIREWALL, "File & printer sharing (SMB)", PERMIT, ACTIVE,
               (local_port(445), SUBNET, protocol(TCP)))
    yield Rule(
        LISTEN, FIREWALL, "File & printer sharing (SMB)", PERMIT, ACTIVE, (app(SYSTEM), local_port(445))
    )
    netbios = ((TCP, 139, "session"), (UDP, 137, "name"), (UDP, 138, "datagram"))
    for number, port, what in netbios:
        yield Rule(ACCEPT, FIREWALL, f"File & printer sharing (NetBIOS {what})", PERMIT, ACTIVE,
                   (app(SYSTEM), local_port(port), SUBNET, protocol(number)), (4,))
    yield Rule(ACCEPT, FIREWALL, "Printer spooler", PERMIT, ACTIVE,
               (app(SPOOLER), local_ports(49664, 49695), SUBNET, protocol(TCP)))
    yield Rule(ACCEPT, FIREWALL, "Large files from the office", PERMIT, ACTIVE,
               (local_port(7100), SUBNET, protocol(UDP)))
    for port, what in ((5353, "multicast DNS"), (5355, "link-local names")):
        yield Rule(ACCEPT, FIREWALL, f"Names ({what})", PERMIT, ACTIVE,
                   (app(SVCHOST), service("Dnscache"), local_port(port), SUBNET, protocol(UDP)))
        yield Rule(BIND, FIREWALL, f"Names ({what})", PERMIT, ACTIVE,
                   (app(SVCHOST), service("Dnscache"), local_port(port), protocol(UDP)))
    for number, name in ((TCP, "TCP"), (UDP, "UDP")):
        yield Rule(ACCEPT, FIREWALL, f"Remote desktop in the domain, {name}", PERMIT, OTHER,
                   (app(SVCHOST), service("TermService"), local_port(3389), protocol(number)))
    yield Rule(LISTEN, FIREWALL, "Remote desktop in the domain", PERMIT, OTHER,
               (app(SVCHOST), service("TermService"), local_port(3389)))


def _programs() -> Iterator[Rule]:
    yield Rule(ACCEPT, FIREWALL, "Lantern finds screens (multicast DNS)", PERMIT, ACTIVE,
               (app(BROWSER), local_port(5353), protocol(UDP)))
    yield Rule(ACCEPT, FIREWALL, "Pigeonpost calls", PERMIT, ACTIVE,
               (app(CHAT), local_ports(52400, 52499), protocol(UDP)))
    yield Rule(BIND, FIREWALL, "Pigeonpost calls", PERMIT, ACTIVE, (app(CHAT), NOT_RPC, protocol(UDP)))
    yield Rule(LISTEN, FIREWALL, "Pigeonpost", PERMIT, ACTIVE, (app(CHAT), NOT_RPC))
    yield Rule(CONNECT, FIREWALL, "Marble Run stays offline", BLOCK, ADMIN, (app(GAME),))
    yield Rule(
        CONNECT,
        FIREWALL,
        "Mail leaves by the mail server only",
        BLOCK,
        ADMIN,
        (protocol(TCP), remote_port(25)),
    )
    yield Rule(CONNECT, FIREWALL, "The old backup is switched off", BLOCK, ADMIN,
               (protocol(TCP), remote_ports(7200, 7299)))
    recipes = 'O:SYG:SYD:(XA;;CC;;;WD;(WIN://SYSAPPID Contains "Fernleaf.Recipes_7k2m9q4w1x8rc"))(A;;CC;;;S-1-15-3-1)'
    yield Rule(CONNECT, FIREWALL, "Recipes", PERMIT, ACTIVE, (user(recipes, "ALE_PACKAGE_FAMILY_NAME"),))
    yield Rule(ACCEPT, FIREWALL, "Recipes", PERMIT, ACTIVE,
               (condition("ALE_PACKAGE_ID", sid_value(RECIPES)), local_port(8009), protocol(TCP)))


GROUPS: Final = (
    _third_party, _isolation, _quarantine, _hardening, _boot, _defaults, _stealth, _core_networking, _sharing,
    _programs,
)

# fmt: on
