"""What the office laptop has beside filters: programs, an invented vendor's objects, sessions and connections.

Machine, people, programs and names are invented; keys are name-based UUIDs, the same in every run.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import uuid
from typing import Final

from tamiz.model import catalog
from tamiz.model._tables import CalloutFlags, SessionFlags
from tamiz.model.keys import CalloutKey, ContextKey, LayerKey, ProviderKey, SessionKey, SublayerKey
from tamiz.model.objects import Callout, Endpoint, Provider, ProviderContext, Session, Sublayer
from tamiz.model.sids import LOCAL_SERVICE, LOCAL_SYSTEM, NETWORK_SERVICE, Sid
from tamiz.model.values import app_id

TCP, UDP, ICMP, IGMP, ICMPV6 = 6, 17, 1, 2, 58

_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_DNS, "office-laptop.example")
_DRIVE: Final = r"\device\harddiskvolume4"
SVCHOST: Final = app_id(_DRIVE + r"\windows\system32\svchost.exe")
SPOOLER: Final = app_id(_DRIVE + r"\windows\system32\spoolsv.exe")
BROWSER: Final = app_id(_DRIVE + r"\program files\lantern\lantern.exe")
CHAT: Final = app_id(_DRIVE + r"\users\mira\appdata\local\pigeonpost\pigeonpost.exe")
GAME: Final = app_id(_DRIVE + r"\games\marble run\marbles.exe")
SENSOR: Final = app_id(_DRIVE + r"\program files\quillstone\sensor.exe")
SYSTEM: Final = "System\0".encode("utf-16-le")  # the one app id that keeps its capital

RECIPES: Final = Sid(15, (2, 3301010101, 1202020202, 2703030303, 804040404, 3905050505, 1606060606, 2107070707))


def guid(name: str) -> str:
    return f"{{{uuid.uuid5(_NAMESPACE, name)}}}"


QUILLSTONE: Final = Provider(ProviderKey(guid("provider")), "Quillstone", "The sensor of an invented vendor")
SENSOR_SUBLAYER: Final = Sublayer(SublayerKey(guid("sublayer")), "Quillstone sensor", 0x9C40, provider=QUILLSTONE.key)
ORIGIN: Final = ProviderContext(
    ContextKey(guid("context")), "Office laptop", "FWPM_GENERAL_CONTEXT", id=70001,
    description="Says which filters are defaults", provider=ProviderKey("FWPM_PROVIDER_MPSSVC_WF"),
    data="Office laptop default\0".encode("utf-16-le"),
)  # fmt: skip
FLOW_CALLOUTS: Final = {v: CalloutKey(guid(f"flow callout v{v}")) for v in (4, 6)}


def callouts() -> tuple[Callout, ...]:
    """Windows' own, and the sensor's two; those that a driver registers get ids from 256 up."""
    own = tuple(
        Callout(key, f"Quillstone flow callout v{v}", LayerKey(f"FWPM_LAYER_ALE_FLOW_ESTABLISHED_V{v}"),
                flags=CalloutFlags.REGISTERED, provider=QUILLSTONE.key)
        for v, key in FLOW_CALLOUTS.items()
    )  # fmt: skip
    known = [c for c in (*catalog.callouts().values(), *own) if c.layer is not None]
    return tuple(dataclasses.replace(c, id=256 + n) if c.id is None else c for n, c in enumerate(known))


def sessions() -> tuple[Session, ...]:
    rows = (
        ("", LOCAL_SERVICE, r"NT AUTHORITY\LOCAL SERVICE", 2104, True, SessionFlags(0), 6_000_000),
        (
            "Firewall rules",
            LOCAL_SERVICE,
            r"NT AUTHORITY\LOCAL SERVICE",
            2104,
            False,
            SessionFlags.DYNAMIC,
            18_000_000,
        ),
        ("", NETWORK_SERVICE, r"NT AUTHORITY\NETWORK SERVICE", 1888, False, SessionFlags(0), 6_000_000),
        ("Quillstone sensor", LOCAL_SYSTEM, r"NT AUTHORITY\SYSTEM", 3340, False, SessionFlags(0), 0xFFFFFFFF),
    )
    return tuple(
        Session(SessionKey(guid(f"session {n}")), name, timeout, process, sid, user_name, kernel, flags)
        for n, (name, sid, user_name, process, kernel, flags, timeout) in enumerate(rows)
    )


def endpoints() -> tuple[Endpoint, ...]:
    """Connections of the moment: three that the laptop opened, one that it accepted, and a multicast socket."""
    rows = (
        (BROWSER, TCP, "192.0.2.10", 50190, "203.0.113.80", 443),
        (BROWSER, TCP, "2001:db8::10", 50191, "2001:db8:113::80", 443),
        (CHAT, TCP, "192.0.2.10", 50202, "203.0.113.91", 443),
        (SYSTEM, TCP, "192.0.2.10", 445, "192.0.2.20", 50444),
        (SVCHOST, UDP, "0.0.0.0", 5353, "0.0.0.0", 0),
    )
    return tuple(
        Endpoint(
            4000 + n, ipaddress.ip_address(local).version, number, ipaddress.ip_address(local).packed,
            ipaddress.ip_address(remote).packed, local_port, remote_port, program,
            token_modified_id=91000 + n, ipsec_status_name="ERROR_SUCCESS",
        )
        for n, (program, number, local, local_port, remote, remote_port) in enumerate(rows)
    )  # fmt: skip
