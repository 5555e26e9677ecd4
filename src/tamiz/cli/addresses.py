"""Addresses with ports as the command line has them: `a.b.c.d:port`, `[v6]:port`, or an address alone."""

from __future__ import annotations

import ipaddress
import re

import typer

_BRACKETED = re.compile(r"\[(?P<address>[^\]]*)\](?::(?P<port>\d{1,5}))?", re.ASCII)
_DOTTED = re.compile(r"(?P<address>[^:]*):(?P<port>\d{1,5})", re.ASCII)

WANTED = "ADDRESS or ADDRESS:PORT, as in 192.0.2.1:443 or [2001:db8::1]:443"


def endpoint(text: str, option: str) -> tuple[bytes, int | None]:
    """The packed address and the port, None where there is none; `typer.BadParameter` for anything else."""
    match = _BRACKETED.fullmatch(text) or _DOTTED.fullmatch(text)
    address, port = (match["address"], match["port"]) if match else (text, None)
    if "%" in address:  # the scope of a link-local address says which interface, and no filter's condition holds it
        raise typer.BadParameter(f"found {text!r} with a scope, wanted {WANTED}", param_hint=option)
    try:
        packed = ipaddress.ip_address(address).packed
    except ValueError:
        raise typer.BadParameter(f"found {text!r}, wanted {WANTED}", param_hint=option) from None
    if port is not None and int(port) > 65_535:
        raise typer.BadParameter(f"found port {port}, wanted 0 to 65535", param_hint=option)
    return packed, None if port is None else int(port)


def shown(packed: bytes, port: int | None) -> str:
    """The endpoint as people write it."""
    address = ipaddress.ip_address(packed)
    if port is None:
        return str(address)
    return f"{address}:{port}" if address.version == 4 else f"[{address}]:{port}"
