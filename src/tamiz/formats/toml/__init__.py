"""tamiz's own policy language, in TOML: bytes to a `Policy` (see `policy`)."""

from tamiz.formats.toml.policy import read_toml

__all__ = ["read_toml"]
