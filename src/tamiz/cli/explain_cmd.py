"""`tamiz explain`: one connection against a policy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final, cast

import typer

from tamiz.cli import output
from tamiz.cli.addresses import endpoint, shown
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
from tamiz.formats.toml.names import PROTOCOLS
from tamiz.model.errors import shorten

if TYPE_CHECKING:
    from rich.console import Console

    from tamiz.stack.requests import Way
    from tamiz.stack.witness import Conversation

_PROTOCOLS: Final = {"icmp": 1, "icmpv6": 58, **PROTOCOLS}


def explain(
    direction: Annotated[str, typer.Argument(metavar="in|out", help="The direction of the first packet.")],
    protocol: Annotated[str, typer.Argument(metavar="PROTOCOL", help="tcp, udp, icmp, ..., or a number.")],
    local: Annotated[str, typer.Argument(metavar="LOCAL", help="This host's end: ADDRESS:PORT or [V6]:PORT.")],
    remote: Annotated[str, typer.Argument(metavar="REMOTE", help="The other end.")],
    policy: PolicyOption = None,
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
    """Explain what a policy does with one connection, and why."""
    from tamiz.analysis.explain import Question
    from tamiz.analysis.explain import explain as ask
    from tamiz.engine.engine import Engine
    from tamiz.outcomes.explained import document, lines
    from tamiz.stack.witness import Known

    way = _way(direction)
    conversation = _conversation(protocol, local, remote)
    loaded = load(policy, last_wins, fields, volume)
    told = facts_from_options(
        loaded, app=app, volume=volume, package=package, service=service, user=user, profile=profile,
        interface=interface, assume=assume,
    )  # fmt: skip
    refuse_shown(told)
    known = Known(facts=told.facts, windows=windows)
    answer = ask(Engine(loaded, reading, told.callouts), Question(way, conversation, known, told.assumptions))
    title = f"{direction} {protocol}, local {_shown(conversation, 'local')}, remote {_shown(conversation, 'remote')}"

    def render(console: Console, _: Document) -> None:
        for style, text in lines(answer, title, console.width, loaded.label):
            console.print(output.printable(text), style=style or None)

    output.emit(document(answer), render, form, target)


def _way(direction: str) -> Way:
    if direction not in ("in", "out"):
        raise typer.BadParameter(f"found {direction!r}, wanted in or out", param_hint="DIRECTION")
    return cast("Way", direction)


def _protocol(text: str, version: int) -> int:
    word = text.lower()
    if word == "icmp" and version == 6:
        word = "icmpv6"
    if word in _PROTOCOLS:
        return _PROTOCOLS[word]
    if re.fullmatch("[0-9]{1,3}", word) and int(word) <= 255:
        return int(word)
    wanted = f"one of {', '.join(_PROTOCOLS)}, or a number from 0 to 255"
    raise typer.BadParameter(f"found '{shorten(text)}', wanted {wanted}", param_hint="PROTOCOL")


def _conversation(protocol: str, local: str, remote: str) -> Conversation:
    from tamiz.stack.witness import ICMP, ICMP6, TCP, UDP, Conversation

    (here, local_port), (there, remote_port) = endpoint(local, "LOCAL"), endpoint(remote, "REMOTE")
    if len(here) != len(there):
        raise typer.BadParameter("found an IPv4 and an IPv6 address, wanted two of one family", param_hint="REMOTE")
    number = _protocol(protocol, 4 if len(here) == 4 else 6)
    if number in (TCP, UDP) and (local_port is None or remote_port is None):
        raise typer.BadParameter(f"found no port, wanted one at both ends of {protocol}", param_hint="REMOTE")
    if number in (ICMP, ICMP6):  # the port fields hold type and code: an echo request unless others are given
        echo = 8 if number == ICMP else 128
        local_port, remote_port = echo if local_port is None else local_port, remote_port or 0
        if max(local_port, remote_port) > 255:
            found = f"found ICMP type {local_port} and code {remote_port}"
            raise typer.BadParameter(f"{found}, wanted numbers from 0 to 255", param_hint="LOCAL")
    elif number not in (TCP, UDP):
        local_port = remote_port = None
    return Conversation(number, here, there, local_port, remote_port)


def _shown(conversation: Conversation, side: str) -> str:
    return shown(getattr(conversation, side), getattr(conversation, f"{side}_port"))
