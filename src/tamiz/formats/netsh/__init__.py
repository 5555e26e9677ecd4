"""The XML of `netsh wfp show filters` and `netsh wfp show state`: bytes to a `Policy` (see `dumps`)."""

from tamiz.formats.netsh.dumps import looks_like_netsh, read_netsh

__all__ = ["looks_like_netsh", "read_netsh"]
