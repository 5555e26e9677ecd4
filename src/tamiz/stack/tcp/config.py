"""The numbers a connection runs with, each with its source. All times are nanoseconds.

Marks as in the specification: D documented, I inferred, O observed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

MILLISECOND = 1_000_000
SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class TcpConfig:
    """One end's parameters. `ValueError` for a number out of its range."""

    mss: int = 1460
    """Our MSS option in bytes, also the most we send: MTU less 40 for IPv4, less 60 for IPv6 (RFC 9293 3.7.1)."""
    default_mss: int = 536
    """The peer's MSS when its SYN has none: 536 for IPv4, 1220 for IPv6 (RFC 9293 3.7.1, MUST-15)."""
    receive_buffer: int = 65_535
    """Bytes offered to the peer and not yet consumed. I: Windows tunes it at run time, we keep it."""
    window_scale: int | None = 8
    """Our shift count, 0 to 14 (RFC 7323 2.3); None does not offer it. I: 8, as Windows 7 and later send it."""
    sack: bool = True
    """Offer SACK-permitted (RFC 2018). I: Windows offers it."""
    timestamps: bool = False
    """Offer timestamps and PAWS (RFC 7323). I: Windows clients do not offer them."""
    nagle: bool = False
    """RFC 9293 3.7.4. Off: one application send is one run of segments, which reads best in a trace."""
    initial_rto: int = SECOND
    """RTO before the first measurement (RFC 6298 2.1). I: from Windows 8 on; 3 s before (see `windows`)."""
    min_rto: int = 300 * MILLISECOND
    """D: "TCP Templates for Windows Server 2019", MinRto of InternetCustom."""
    max_rto: int = 240 * SECOND
    """D: KB 170359, retransmission intervals stop growing at 240 s."""
    syn_retries: int = 2
    """SYN and SYN-ACK retransmissions. D: TcpMaxConnectRetransmissions, 2."""
    data_retries: int = 5
    """Retransmissions of one data segment, FIN or window probe. D: KB 170359, TcpMaxDataRetransmissions."""
    user_timeout: int | None = None
    """Longest wait for an ACK of the oldest byte (RFC 9293 3.8.3). None: only the retries count, as in Windows."""
    msl: int = 60 * SECOND
    """Maximum segment lifetime; TIME-WAIT is twice it. D: TcpTimedWaitDelay, 120 s (Windows Server 2003 page)."""
    initial_window: int = 10
    """First congestion window in segments (RFC 6928). D: the same page, InitialCongestionWindow."""
    challenge_acks: int = 10
    """Most challenge ACKs within `challenge_period` (RFC 5961 7)."""
    challenge_period: int = 5 * SECOND

    def __post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise ValueError(f"TcpConfig {name}: found {value}, wanted {least} to {most}")
        unit = 1 << (self.window_scale or 0)
        if self.receive_buffer < unit:
            wanted = f"at least {unit} with this window scale"
            raise ValueError(f"TcpConfig receive_buffer: found {self.receive_buffer}, wanted {wanted}")


_LONG = 1 << 62
_RANGES = {
    "mss": (48, 65_495),  # I: below 48 headers outweigh data; above, no IPv4 packet holds it
    "default_mss": (48, 65_495),
    "receive_buffer": (1, 0xFFFF << 14),  # RFC 7323 2.3
    "window_scale": (0, 14),  # RFC 7323 2.3
    "initial_rto": (1, _LONG),
    "min_rto": (1, _LONG),
    "max_rto": (1, _LONG),
    "syn_retries": (0, 255),
    "data_retries": (0, 0xFFFFFFFF),
    "user_timeout": (1, _LONG),
    "msl": (1, _LONG),
    "initial_window": (1, 0xFFFF),
    "challenge_acks": (0, 0xFFFFFFFF),
    "challenge_period": (1, _LONG),
}

_WINDOWS: dict[str, dict[str, int]] = {
    # D: KB 170359 and TcpInitialRTT, 3 s. I: RFC 3390 before RFC 6928, three segments of 1460 bytes
    "vista": {"initial_rto": 3 * SECOND, "initial_window": 3},
    "7": {"initial_rto": 3 * SECOND, "initial_window": 3},
    # I: four segments, before RFC 6928
    "8": {"initial_window": 4},
    "10": {},
    "11": {},
}


def windows(version: str, **changes: int | bool | None) -> TcpConfig:
    """The defaults of a Windows version ("vista", "7", "8", "10", "11"), with `changes`. `ValueError` for another."""
    if version not in _WINDOWS:
        raise ValueError(f"Windows version: found {version!r}, wanted one of {', '.join(_WINDOWS)}")
    return replace(TcpConfig(), **(_WINDOWS[version] | changes))  # type: ignore[arg-type]
