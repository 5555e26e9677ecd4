"""The options that verbs share, each with its one spelling and help.

What the user tells about an endpoint (`--app` and its like) is turned into facts by `tamiz.cli.told`.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from tamiz.cli.output import Format
from tamiz.model.reading import Reading
from tamiz.model.windows import NEWEST, WindowsVersion

DEFAULT_READING: Final = Reading.DOCUMENTED
DEFAULT_WINDOWS: Final = NEWEST


class ProfileName(StrEnum):
    """The network categories, by their names in Windows' settings."""

    PUBLIC = "public"
    PRIVATE = "private"
    DOMAIN = "domain"


class FieldsName(StrEnum):
    """The two known field lists."""

    NEWEST = "newest"
    OLDER = "older"


def _windows(text: str | WindowsVersion) -> WindowsVersion:
    if isinstance(text, WindowsVersion):
        return text
    try:
        return WindowsVersion.parse(text)
    except ValueError as problem:
        raise typer.BadParameter(str(problem)) from problem


FormatOption = Annotated[Format, typer.Option("--format", help="Text for a person, or JSON for a program.")]
OutputOption = Annotated[
    Path | None, typer.Option("--output", metavar="FILE", help="Write the answer there, not to stdout.")
]
PolicyOption = Annotated[
    list[Path] | None,
    typer.Option("--policy", metavar="FILE", help="A policy, in any format; several are merged."),
]
FieldsOption = Annotated[
    FieldsName | None,
    typer.Option("--fields", help="The layers' field lists, where a policy's file does not tell them."),
]
LastWinsOption = Annotated[
    bool, typer.Option("--last-wins", help="Of objects that differ under one key, the last file's counts.")
]
ReadingOption = Annotated[
    Reading, typer.Option("--reading", help="Windows as its pages say, or as machines were seen to do.")
]
WindowsOption = Annotated[
    WindowsVersion,
    typer.Option(
        "--windows",
        parser=_windows,
        metavar="VERSION",
        help=f"vista, 7, 8, 10 or 11; without it {NEWEST}.",
        show_default=False,
    ),
]

AppOption = Annotated[
    str | None,
    typer.Option("--app", metavar="PATH", help="The application: a DOS path, an NT path, or System."),
]
VolumeOption = Annotated[
    list[str] | None,
    typer.Option("--volume", metavar="C:=DEVICE", help=r"A drive's device, as in C:=\Device\HarddiskVolume3."),
]
PackageOption = Annotated[
    str | None,
    typer.Option("--package", metavar="none|SID", help="The app container's package SID; none: not in one."),
]
ServiceOption = Annotated[
    str | None,
    typer.Option("--service", metavar="none|NAME", help="The Windows service; none: no service of the policy's."),
]
UserOption = Annotated[
    str | None,
    typer.Option("--user", metavar="SID", help="The user's SID; or system, local-service, network-service."),
]
ProfileOption = Annotated[
    ProfileName | None, typer.Option("--profile", help="The network category of every interface.")
]
InterfaceOption = Annotated[
    str | None,
    typer.Option("--interface", metavar="LUID", help="The interface: its LUID, or luid=N,index=N,type=N,tunnel=N."),
]
AssumeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--assume",
        metavar="FIELD=VALUE",
        help="Take a field to have this value (empty: none), or callout=transparent|permit|block.",
    ),
]
