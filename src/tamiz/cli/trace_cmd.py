"""`tamiz trace`: a scenario between two simulated hosts."""

from __future__ import annotations

import ipaddress
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tamiz.cli import output
from tamiz.cli.addresses import endpoint
from tamiz.cli.exits import say
from tamiz.cli.options import (
    DEFAULT_READING,
    DEFAULT_WINDOWS,
    AppOption,
    AssumeOption,
    FieldsOption,
    FormatOption,
    InterfaceOption,
    LastWinsOption,
    OutputOption,
    PackageOption,
    PolicyOption,
    ProfileOption,
    ReadingOption,
    ServiceOption,
    UserOption,
    VolumeOption,
    WindowsOption,
)
from tamiz.cli.output import Document, Format
from tamiz.cli.policies import load
from tamiz.cli.told import facts_from_options, refuse_shown
from tamiz.model.errors import EnvironmentLacks, InputError, shorten

if TYPE_CHECKING:
    from rich.console import Console

    from tamiz.drive.world import Side
    from tamiz.model.policy import Policy
    from tamiz.model.trace import Trace
    from tamiz.sources.scenario import Scenario

_EPOCH = 1_600_000_000 * 1_000_000_000  # ns: when a scenario's time 0 is, in the captures that --pcap writes


def trace(
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="Its name, or a script: a TOML file.")],
    ip: Annotated[
        int,
        typer.Option(
            "--ip", metavar="4|6", help="The version; without it that of the addresses, else 4.", show_default=False
        ),
    ] = 0,
    client: Annotated[str | None, typer.Option(metavar="ADDRESS[:PORT]", help="The client's end.")] = None,
    server: Annotated[str | None, typer.Option(metavar="ADDRESS[:PORT]", help="The server's end.")] = None,
    policy: PolicyOption = None,
    client_policy: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A policy of the client only.")
    ] = None,
    server_policy: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A policy of the server only.")
    ] = None,
    pcap: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what was on the wire to a capture file.")
    ] = None,
    app: AppOption = None,
    volume: VolumeOption = None,
    package: PackageOption = None,
    service: ServiceOption = None,
    user: UserOption = None,
    profile: ProfileOption = None,
    interface: InterfaceOption = None,
    assume: AssumeOption = None,
    reading: ReadingOption = DEFAULT_READING,
    windows: WindowsOption = DEFAULT_WINDOWS,
    fields: FieldsOption = None,
    last_wins: LastWinsOption = False,
    form: FormatOption = Format.TEXT,
    target: OutputOption = None,
) -> None:
    """Run a scenario between two hosts and show every layer met."""
    from tamiz.drive.world import Side, Stage, play
    from tamiz.outcomes.picture import lines
    from tamiz.outcomes.traced import document

    script = _scenario(scenario)
    ends = {"client": _end(client, "--client"), "server": _end(server, "--server")}
    version = _version(ip, ends)
    _apart(version, ends)
    sides: dict[str, Side] = {}
    policies: dict[tuple[Path, ...], Policy] = {}  # read once where both hosts have the same files
    assumptions: dict[str, None] = {}
    for host, own in (("client", client_policy), ("server", server_policy)):
        paths = (*(policy or ()), *(own or ()))
        loaded = policies[paths] = policies.get(paths) or load(paths, last_wins, fields, volume)
        told = facts_from_options(
            loaded, app=app, volume=volume, package=package, service=service, user=user, profile=profile,
            interface=interface, assume=assume,
        )  # fmt: skip
        refuse_shown(told)
        address, port = ends[host]
        sides[host] = Side(loaded, address, port, told.callouts, told.facts)
        assumptions.update(dict.fromkeys(told.assumptions))
    stage = Stage(version, sides["client"], sides["server"], windows, reading, tuple(assumptions))
    played = play(script, stage)
    if pcap is not None:
        _write(played, pcap)

    def label(key: str) -> str:
        named = sides["client"].policy.label(key)
        return named if named != key else sides["server"].policy.label(key)

    def render(console: Console, _: Document) -> None:
        from rich.text import Text

        for line in lines(played, console.width, _unicode(target), label):
            console.print(Text.assemble(*((output.printable(text), style) for style, text in line)), soft_wrap=True)

    output.emit(document(played), render, form, target)


def _scenario(name: str) -> Scenario:
    from tamiz.sources.scenario import NAMES, built_in, read_scenario

    if name in NAMES:
        return built_in(name)
    path = Path(name)
    if path.suffix != ".toml":
        raise typer.BadParameter(
            f"found {shorten(name)!r}, wanted one of {', '.join(NAMES)}, or a script FILE.toml",
            param_hint="SCENARIO",
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(name, "the script", error.strerror or "nothing", "a file that can be read") from error
    return read_scenario(data, name, path.stem)


def _end(text: str | None, option: str) -> tuple[bytes | None, int | None]:
    return (None, None) if text is None else endpoint(text, option)


def _version(asked: int, ends: dict[str, tuple[bytes | None, int | None]]) -> int:
    """The IP version: as asked, else that of the addresses, else 4."""
    if asked not in (0, 4, 6):
        raise typer.BadParameter(f"found {asked}, wanted 4 or 6", param_hint="--ip")
    given = {4 if len(address) == 4 else 6 for address, _ in ends.values() if address is not None}
    if len(given | ({asked} if asked else set())) > 1:
        raise typer.BadParameter("found addresses of both families, wanted one", param_hint="--ip")
    return asked or next(iter(given), 4)


def _apart(version: int, ends: dict[str, tuple[bytes | None, int | None]]) -> None:
    """Each host has an address of its own: what a host sends to itself never reaches the other one."""
    from tamiz.drive.world import ADDRESSES

    taken: set[str] = set()
    for host, (packed, _) in ends.items():
        address = ipaddress.ip_address(ADDRESSES[host, version] if packed is None else packed)
        text, broadcast = str(address), str(address) == "255.255.255.255"
        if address.is_multicast or address.is_unspecified or address.is_loopback or broadcast or text in taken:
            raise typer.BadParameter(f"found {text}, wanted an address of this host alone", param_hint=f"--{host}")
        taken.add(text)


def _unicode(target: Path | None) -> bool:
    """Whether lines and arrows may be drawn with characters beyond ASCII."""
    return target is not None or output.is_utf8(sys.stdout)


def _write(played: Trace, path: Path) -> None:
    from tamiz.outcomes.pcapfile import PcapWriter

    try:
        with path.open("wb") as file:
            writer = PcapWriter(file)
            for sent in played.wire:
                writer.write(_EPOCH + sent.time, sent.packet)
    except OSError as error:
        raise EnvironmentLacks(f"{path}: cannot be written: {error.strerror}") from error
    say(f"{path}: {len(played.wire)} packets")
