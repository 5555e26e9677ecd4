"""From captured packets to the sequences that they prove, without a policy (see `observer`)."""

from .observer import Observer

__all__ = ["Observer"]
