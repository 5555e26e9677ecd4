"""What the codecs raise: one exception for bytes that are wrong, and the checks that raise it."""

from __future__ import annotations


class Malformed(ValueError):
    """Bytes that break their protocol.

    `protocol` names the header at fault, `offset` counts bytes from the beginning of the IP packet (or of the
    buffer given to a codec), `found` and `wanted` are the two values that differ.
    """

    def __init__(self, protocol: str, offset: int, found: str, wanted: str) -> None:
        super().__init__(protocol, offset, found, wanted)
        self.protocol, self.offset, self.found, self.wanted = protocol, offset, found, wanted

    def __str__(self) -> str:
        return f"{self.protocol} at byte {self.offset}: found {self.found}, wanted {self.wanted}"


def need(protocol: str, data: bytes, size: int, base: int = 0) -> None:
    """Raise `Malformed` unless `data`, which begins at byte `base`, holds `size` bytes."""
    if len(data) < size:
        raise Malformed(protocol, base, f"{len(data)} bytes", f"at least {size}")


def fits(what: str, value: object, limits: dict[str, int]) -> None:
    """`within` for each attribute of `value` that `limits` names: the message is made only when it is needed."""
    for name, maximum in limits.items():
        if not 0 <= getattr(value, name) <= maximum:
            within(f"{what} {name}", getattr(value, name), maximum)


def within(what: str, value: int, maximum: int) -> None:
    """Raise `ValueError` unless `value` fits its field: the caller's mistake, not the wire's."""
    if not 0 <= value <= maximum:
        raise ValueError(f"{what}: found {value}, wanted 0 to {maximum}")
