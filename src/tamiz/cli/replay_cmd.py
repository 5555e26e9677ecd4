"""`tamiz replay`: captured packets, walked through a policy as one host."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tamiz.cli import output
from tamiz.cli.addresses import endpoint
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

if TYPE_CHECKING:
    from rich.console import Console

    from tamiz.drive.replay import Progress


def replay(
    captures: Annotated[
        list[Path], typer.Argument(metavar="CAPTURE...", help="pcap or pcapng files, gzipped or not; - is stdin.")
    ],
    policy: PolicyOption = None,
    local: Annotated[
        list[str] | None,
        typer.Option("--local", metavar="ADDRESS", help="An address of this host; several for a host with several."),
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
    """Walk the packets of captures through a policy, as one host."""
    from tamiz.drive.replay import Settings
    from tamiz.drive.replay import replay as run
    from tamiz.engine.engine import Engine
    from tamiz.outcomes.replayed import document, lines
    from tamiz.sources.capture import open_capture
    from tamiz.stack.witness import Known

    addresses = tuple(map(_address, local or ()))
    loaded = load(policy, last_wins, fields, volume)
    told = facts_from_options(
        loaded, app=app, volume=volume, package=package, service=service, user=user, profile=profile,
        interface=interface, assume=assume,
    )  # fmt: skip
    refuse_shown(told)
    openers = [
        partial(open_capture, sys.stdin.buffer, "stdin") if str(path) == "-" else partial(open_capture, path)
        for path in captures
    ]
    with _progress(captures) as progress:
        settings = Settings(Known(told.facts, windows=windows), addresses, told.assumptions, progress=progress)
        report = run(Engine(loaded, reading, told.callouts), openers, settings)

    def render(console: Console, _: Document) -> None:
        for style, text in lines(report, console.width, loaded.label):
            console.print(output.printable(text), style=style or None)

    output.emit(document(report), render, form, target)


def _address(text: str) -> bytes:
    packed, port = endpoint(text, "--local")
    if port is not None:
        raise typer.BadParameter(f"found {text!r}, wanted an address without a port", param_hint="--local")
    return packed


@contextmanager
def _progress(captures: list[Path]) -> Iterator[Progress]:
    """A bar on stderr, by bytes of each file, on a terminal only. A gzipped file's bytes are more than its size."""
    from tamiz.drive.replay import quiet

    if getattr(sys, "stderr", None) is None or not sys.stderr.isatty():
        yield quiet
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:,.0f} bytes"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks = {
            str(path): bar.add_task(output.printable(path.name), total=_size(path)) for path in dict.fromkeys(captures)
        }

        def update(file: str, offset: int) -> None:
            if file in tasks:
                bar.update(tasks[file], completed=offset)

        yield update


def _size(path: Path) -> int | None:
    """Bytes to come; None where the file does not tell: compressed, or not a file."""
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
        return None if zipped else path.stat().st_size
    except OSError:
        return None
