"""What a policy makes of what an observer saw, packet by packet and flow by flow.

A plan (`tamiz.sources.observer_flows`) is walked through the layers as a host walks them: after a block nothing later of
the event is met (`tamiz.stack.blocks`). What came out is an `Outcome`, of which there are few, and a packet like one
before costs two look-ups and a counter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from tamiz.engine.engine import Engine
from tamiz.model._tables import ConditionFlags, ReauthorizeReason
from tamiz.model.decisions import Action
from tamiz.model.keys import LayerKey
from tamiz.sources.observer_flows import Ends, Flow, Plan, Step
from tamiz.stack.blocks import ABSORB, After, Block, Situation, block_of
from tamiz.stack.flows import _CREATING as CREATES
from tamiz.stack.requests import Way
from tamiz.stack.rows import CREATING, Condition, Row, layer_key
from tamiz.stack.sequences import SEQUENCES
from tamiz.stack.witness import ICMP, ICMP6, TCP, UDP, Known

from .replay_rulings import REMEMBERED, Ruling, Rulings

_ENDS_FLOW: Final = frozenset({After.FAIL, After.CLOSE, After.TEAR_DOWN})
