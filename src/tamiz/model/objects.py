"""The objects of a policy, as BFE holds them (spec objects.md 1, 5-8).

Optional members are None where the object has none, and where the source does not tell; `Policy` knows which of the
two it is. Members that BFE fills in (filter id, effective weight, callout id) are part of the values, since a dump
has them; a filter made by hand gets them when its policy is completed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from tamiz.model._tables import (
    CalloutBehaviourFlags,
    CalloutFlags,
    ContextFlags,
    FilterFlags,
    ProviderFlags,
    SessionFlags,
    SublayerFlags,
)
from tamiz.model.conditions import Condition
from tamiz.model.errors import Place, PolicyError
from tamiz.model.keys import (
    CalloutKey,
    ContextKey,
    FilterKey,
    LayerKey,
    ProviderKey,
    SessionKey,
    SublayerKey,
)
from tamiz.model.layers import Layer
from tamiz.model.sids import Sid
from tamiz.model.values import EMPTY, Value


class ActionType(IntEnum):
    """FWP_ACTION_TYPE [D: ns-fwpmtypes-fwpm_action0]; the first five may stand on a filter."""

    BLOCK = 0x1001
    PERMIT = 0x1002
    CALLOUT_TERMINATING = 0x5003
    CALLOUT_INSPECTION = 0x6004
    CALLOUT_UNKNOWN = 0x4005
    CONTINUE = 0x2006
    NONE = 0x7
    NONE_NO_MATCH = 0x8

    @property
    def is_callout(self) -> bool:
        """Bit FWP_ACTION_FLAG_CALLOUT."""
        return bool(self & 0x4000)

    @property
    def on_filter(self) -> bool:
        """Whether a filter may carry it; others are FWP_E_INVALID_ACTION_TYPE."""
        return self.is_callout or self in (ActionType.BLOCK, ActionType.PERMIT)


@dataclass(frozen=True, slots=True)
class Filter:
    """FWPM_FILTER0.

    `weight` is what was asked: EMPTY (automatic), UINT8 0..15 (automatic within that range) or UINT64 (exact);
    `effective_weight` what BFE made of it. `id` is the run-time id. `other_flags` are names and bits that no public
    header numbers; `context` is rawContext or, with HAS_PROVIDER_CONTEXT, the provider context's key. `filter_type`
    is the GUID with which a provider may tag a block or permit filter; the engine does not look at it [D:
    ns-fwpmtypes-fwpm_action0].
    """

    key: FilterKey
    name: str
    layer: LayerKey
    sublayer: SublayerKey
    action: ActionType
    conditions: tuple[Condition, ...] = ()
    id: int = 0
    weight: Value = EMPTY
    effective_weight: int | None = None
    flags: FilterFlags = FilterFlags(0)
    other_flags: tuple[str, ...] = ()
    callout: CalloutKey | None = None
    provider: ProviderKey | None = None
    provider_data: bytes | None = None
    context: int | ContextKey | None = None
    filter_type: str | None = None
    description: str = ""
    place: Place | None = field(default=None, compare=False)

    @property
    def hard(self) -> bool:
        """FWPM_FILTER_FLAG_CLEAR_ACTION_RIGHT: a permit that lighter sublayers cannot override."""
        return bool(self.flags & FilterFlags.CLEAR_ACTION_RIGHT)

    def __str__(self) -> str:
        return f"filter {self.id} {self.name!r}"


@dataclass(frozen=True, slots=True)
class Sublayer:
    """FWPM_SUBLAYER0; heavier sublayers are asked first. `weight` None: the source does not tell."""

    key: SublayerKey
    name: str
    weight: int | None
    description: str = ""
    flags: SublayerFlags = SublayerFlags(0)
    other_flags: tuple[str, ...] = ()
    provider: ProviderKey | None = None
    provider_data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Provider:
    """FWPM_PROVIDER0; `service_name` is the Windows service whose start type enables its persistent objects."""

    key: ProviderKey
    name: str
    description: str = ""
    flags: ProviderFlags = ProviderFlags(0)
    other_flags: tuple[str, ...] = ()
    service_name: str | None = None
    provider_data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Callout:
    """FWPM_CALLOUT0; without the REGISTERED flag no driver answers it (arbitration.md 4.2)."""

    key: CalloutKey
    name: str
    layer: LayerKey | None
    id: int | None = None
    description: str = ""
    flags: CalloutFlags = CalloutFlags(0)
    behaviour: CalloutBehaviourFlags = CalloutBehaviourFlags(0)
    other_flags: tuple[str, ...] = ()
    provider: ProviderKey | None = None
    provider_data: bytes | None = None

    @property
    def registered(self) -> bool:
        return bool(self.flags & CalloutFlags.REGISTERED)


@dataclass(frozen=True, slots=True)
class Node:
    """One element of an IPsec or IKE policy, which the filter engine does not look into: kept whole, not judged."""

    name: str
    text: str = ""
    children: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class ProviderContext:
    """FWPM_PROVIDER_CONTEXT0..3; `type` is the FWPM_*_CONTEXT name, `content` the element that holds the data."""

    key: ContextKey
    name: str
    type: str
    id: int | None = None
    description: str = ""
    flags: ContextFlags = ContextFlags(0)
    other_flags: tuple[str, ...] = ()
    provider: ProviderKey | None = None
    provider_data: bytes | None = None
    content: Node | None = None
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """FWPM_SESSION0; `timeout` is txnWaitTimeoutInMSec, in milliseconds (0xFFFFFFFF: for ever)."""

    key: SessionKey
    name: str
    timeout: int
    process: int
    user: Sid | None
    user_name: str
    kernel_mode: bool
    flags: SessionFlags = SessionFlags(0)
    other_flags: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An ALE endpoint of a state dump: a connection that Windows had authorised at the moment of the dump.

    Addresses are packed (4 or 16 bytes), ports numbers; `app` is the ALE_APP_ID blob. A remote address of zeros with
    port 0 is a remote side that the dump does not tell (field-evidence.md K3).
    """

    id: int
    ip_version: int
    protocol: int
    local_address: bytes
    remote_address: bytes
    local_port: int
    remote_port: int
    app: bytes
    token_modified_id: int = 0
    main_mode_sa: int = 0
    quick_mode_sa: int = 0
    ipsec_status: int = 0
    ipsec_status_name: str = ""
    flags: tuple[str, ...] = ()
    other: tuple[Node, ...] = ()


INSPECTION: Final = SublayerKey("FWPM_SUBLAYER_INSPECTION")


def check_action(action: ActionType, flags: FilterFlags, layer: Layer, sublayer: SublayerKey, subject: str) -> None:
    """Raise the `PolicyError` of FwpmFilterAdd0 where a filter's action or life does not fit its layer or sublayer.

    Source: objects.md 7, rows 13 and 14, and 2 for boot-time filters, which the kernel's layers alone have.
    """
    if flags & FilterFlags.BOOTTIME and not layer.kernel:
        wanted = "a kernel-mode layer for a boot-time filter"
        raise PolicyError("FWP_E_INCOMPATIBLE_LAYER", subject, f"'boot-time' at {layer.key}", wanted)
    if action.is_callout and not layer.kernel:
        wanted = "a kernel-mode layer for a callout"
        raise PolicyError("FWP_E_ACTION_INCOMPATIBLE_WITH_LAYER", subject, f"a callout at {layer.key}", wanted)
    if not action.is_callout and layer.key.endswith("_FAST"):
        found = f"action {action.name} at {layer.key}"
        raise PolicyError("FWP_E_ACTION_INCOMPATIBLE_WITH_LAYER", subject, found, "a callout at this layer")
    if sublayer == INSPECTION and action is not ActionType.CALLOUT_INSPECTION:
        found = f"action {action.name} in {INSPECTION}"
        raise PolicyError("FWP_E_ACTION_INCOMPATIBLE_WITH_SUBLAYER", subject, found, "a callout as 'inspection'")
