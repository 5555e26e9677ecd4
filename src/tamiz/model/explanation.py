"""Why one connection is permitted or blocked: the nouns that `tamiz explain` prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tamiz.model.decisions import Action, Decision
from tamiz.model.facts import Facts
from tamiz.model.keys import LayerKey


@dataclass(frozen=True, slots=True)
class LayerStep:
    """One layer that the connection meets, what is known of its fields, and the decision.

    `event` says what meets it (bind, connect, packet, ...), `direction` which way that goes. `inferred`: it was met
    before the packet in question.
    """

    layer: LayerKey
    event: str
    facts: Facts
    decision: Decision
    inferred: bool = False
    direction: Literal["in", "out"] | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """The layers in order, and the verdict over all of them: the first that blocks, else what it depends on.

    `decided` is the step that decided: the block, or the layer that authorizes; None where no filter decided anything.
    `notes` are sentences about what the answer hangs on beside the policy.
    """

    action: Action
    steps: tuple[LayerStep, ...]
    decided: LayerStep | None
    depends_on: tuple[str, ...]
    assumptions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
