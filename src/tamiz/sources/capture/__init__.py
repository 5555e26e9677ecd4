"""Capture files, classic pcap and pcapng: one iterator over their packets (see `reader`)."""

from .reader import Capture, Interface, Record, open_capture

__all__ = ["Capture", "Interface", "Record", "open_capture"]
