"""The options of a connection: what our SYN offers, what both ends agreed to, and PAWS (RFC 7323, RFC 2018)."""

from __future__ import annotations

from tamiz.wire.tcp import NO_OPTIONS, TcpOptions

from .config import MILLISECOND, TcpConfig
from .sequence import MASK, position

MAX_SHIFT = 14  # RFC 7323 2.3
LEAST_MSS = 48  # I: a peer's smaller MSS is raised to it, so that a hostile SYN cannot make us send crumbs
_STAMP_BYTES = 12  # two NOPs and ten bytes, RFC 7323 appendix A
_STALE = 24 * 24 * 3600 * 1000 * MILLISECOND  # 24 days: TS.Recent is no longer compared, RFC 7323 5.5


class Options:
    """One connection's options. Before the peer's SYN arrives nothing is agreed."""

    __slots__ = (
        "_config",
        "_offers_sack",
        "_offers_scale",
        "_offers_stamps",
        "_recent",
        "_recent_at",
        "receive_shift",
        "sack",
        "send_mss",
        "send_shift",
        "stamps",
    )

    def __init__(self, config: TcpConfig) -> None:
        self._config = config
        self._offers_scale = config.window_scale is not None
        self._offers_sack, self._offers_stamps = config.sack, config.timestamps
        self.send_mss = min(config.default_mss, config.mss)
        self.send_shift = self.receive_shift = 0
        self.sack = self.stamps = False
        self._recent: int | None = None  # TS.Recent, as a number on the wire
        self._recent_at = 0

    def syn(self, now: int) -> TcpOptions:
        """What our SYN or SYN-ACK carries. A SYN-ACK offers only what the SYN offered (RFC 7323 1.3, RFC 2018 2)."""
        return TcpOptions(
            mss=self._config.mss,
            window_scale=self._config.window_scale if self._offers_scale else None,
            sack_permitted=self._offers_sack,
            timestamps=self._stamp(now) if self._offers_stamps else None,
        )

    def agree(self, peer: TcpOptions, now: int) -> None:
        """The peer's SYN: an option holds when both ends sent it."""
        self._offers_scale &= peer.window_scale is not None
        self._offers_sack &= peer.sack_permitted
        self._offers_stamps &= peer.timestamps is not None
        if self._offers_scale:
            self.send_shift = min(peer.window_scale or 0, MAX_SHIFT)
            self.receive_shift = self._config.window_scale or 0
        self.sack, self.stamps = self._offers_sack, self._offers_stamps
        mss = self._config.default_mss if peer.mss is None else max(peer.mss, LEAST_MSS)
        self.send_mss = min(mss, self._config.mss) - (_STAMP_BYTES if self.stamps else 0)
        if self.stamps and peer.timestamps is not None:
            self._recent, self._recent_at = peer.timestamps[0], now

    def plain(self, now: int, blocks: tuple[tuple[int, int], ...]) -> TcpOptions:
        """What every other segment carries; `blocks` are the SACK blocks, as numbers on the wire."""
        if self.stamps or blocks:
            return TcpOptions(sack=blocks, timestamps=self._stamp(now) if self.stamps else None)
        return NO_OPTIONS

    @property
    def block_room(self) -> int:
        """How many SACK blocks fit into 40 bytes of options."""
        return 3 if self.stamps else 4

    # Timestamps -----------------------------------------------------------------------------------

    def _stamp(self, now: int) -> tuple[int, int]:
        return now // MILLISECOND & MASK, self._recent or 0

    def outdated(self, peer: TcpOptions, now: int) -> bool:
        """PAWS, RFC 7323 5.3 R1: the stamp is older than one already seen."""
        if peer.timestamps is None or self._recent is None or now - self._recent_at > _STALE:
            return False
        return position(peer.timestamps[0], self._recent) < self._recent

    def remember(self, peer: TcpOptions, now: int) -> None:
        """The stamp of an acceptable segment that reaches the left edge, RFC 7323 4.3 (2)."""
        if peer.timestamps is not None and not self.outdated(peer, now):
            self._recent, self._recent_at = peer.timestamps[0], now

    def echoed(self, peer: TcpOptions, now: int) -> int | None:
        """The round trip that an echoed stamp shows, in nanoseconds (RFC 7323 4.1); None without a sensible one."""
        if not self.stamps or peer.timestamps is None:
            return None
        ticks = now // MILLISECOND
        sent = position(peer.timestamps[1], ticks)
        return (ticks - sent) * MILLISECOND if 0 <= sent <= ticks else None
