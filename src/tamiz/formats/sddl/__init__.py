"""Security descriptors as text (SDDL, see `text`) and as self-relative bytes (see `binary`)."""

from tamiz.formats.sddl.text import INVALID, MAX_TEXT, parse_sddl, write_sddl

__all__ = ["INVALID", "MAX_TEXT", "parse_sddl", "write_sddl"]
