"""The access check of a token against a condition's security descriptor (spec conditions.md 4.6).

The answer is a `Formula`, because a token may be known in part: each atom is one thing about the token that was not
told. A certain answer is `TRUE` or `FALSE`.

| rule | mark |
|---|---|
| entries in order; the first that matches decides; none: not granted | I, the standard Windows check |
| null DACL: granted; empty DACL: not granted | I |
| a deny entry sees enabled and deny-only SIDs, an allow entry enabled ones | I |
| inherit-only entries do not count | I |
| GENERIC_ALL and GENERIC_EXECUTE include 0x1, GENERIC_READ and GENERIC_WRITE do not | I, `_GENERIC` |
| a restricted token must pass once more with its restricting SIDs alone | I |
| an app container needs a grant by user or group and one by package or capability | O, K1 cases 2 and 3 |
| deny entries for packages and capabilities do not count; S-1-15-2-2 is every container's | I |
| a token outside any app container has no package or capability SID | I |
| an entry for OWNER RIGHTS speaks of whoever holds the descriptor's owner | I |
| an allow entry for an object type does not count, since a filter has no object types; a deny entry does | I |
| mandatory labels do not count: app containers, of low integrity, match filters without a label | O |
| an access filter (FL) does not count | I |

One doubt: the kernel's check is said to grant an app container nothing by a null DACL. No filter has shown it, and
conditions.md 4.6 says that a null DACL is always true, so it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from tamiz.engine.expressions import Claims, Member, Verdict, evaluate
from tamiz.model.formula import FALSE, TRUE, Atom, Formula, all_of, any_of, constant, negate
from tamiz.model.security import (
    MATCH_FILTER,
    Ace,
    AceFlags,
    AceType,
    Expression,
    SecurityDescriptor,
    Token,
    Trustee,
)
from tamiz.model.sids import ALL_RESTRICTED_PACKAGES, DOMAIN_RIDS, OWNER_RIGHTS, Sid

_INHERIT_ONLY: Final = int(AceFlags.IO)
_READ_CONTROL: Final = 0x20000
# generic right -> what it means for a filter [I: the mapping that Project Zero's tools use for filters]
_GENERIC: Final[Mapping[int, int]] = {
    0x80000000: _READ_CONTROL,
    0x40000000: _READ_CONTROL,
    0x20000000: _READ_CONTROL | MATCH_FILTER,
    0x10000000: _READ_CONTROL | MATCH_FILTER,
}

_ALLOWS: Final = frozenset({AceType.ALLOW, AceType.ALLOW_OBJECT, AceType.ALLOW_CALLBACK, AceType.ALLOW_CALLBACK_OBJECT})
_DENIES: Final = frozenset({AceType.DENY, AceType.DENY_OBJECT, AceType.DENY_CALLBACK, AceType.DENY_CALLBACK_OBJECT})


def access_formula(descriptor: SecurityDescriptor, token: Token | None, mask: int = MATCH_FILTER) -> Formula:
    """What it takes for `token` to be granted every right of `mask`; None: a token of which nothing is known.

    Each right is judged by itself, as the check of Windows amounts to. That a field has no token at all (EMPTY) is
    the caller's to handle. Nothing known means also: not known to be restricted, and taken not to be.
    """
    known = Token() if token is None else token
    bits = [1 << n for n in range(mask.bit_length()) if mask >> n & 1]
    contained = _contained(known)
    outside, inside = (
        FALSE if impossible else _Check(descriptor, known, side).granted(bits)
        for side, impossible in ((False, contained == TRUE), (True, contained == FALSE))
    )
    if outside == inside:
        return outside
    return any_of((all_of((negate(contained), outside)), all_of((contained, inside))))


def _contained(token: Token) -> Formula:
    """Whether the token is an app container's: told, or plain from the package and capability SIDs in it."""
    if token.app_container is not None:
        return constant(token.app_container)
    if any(_of_package(sid) for sid in token.present):
        return TRUE
    return Atom("is an app container")


def _counts(ace: Ace, bit: int) -> bool:
    """Whether an entry speaks of the right `bit` at all."""
    mapped = ace.mask >> 28 and any(ace.mask & right and means & bit for right, means in _GENERIC.items())
    if not (ace.mask & bit or mapped) or int(ace.flags) & _INHERIT_ONLY:
        return False
    return (ace.type in _ALLOWS and not ace.guids[0]) or ace.type in _DENIES


def _of_package(trustee: Trustee) -> bool:
    return isinstance(trustee, Sid) and (trustee.is_package or trustee.is_capability)


@dataclass(frozen=True, slots=True)
class _Check:
    """One descriptor against one token, which is taken to be an app container's or not."""

    descriptor: SecurityDescriptor
    token: Token
    contained: bool

    def granted(self, bits: Iterable[int]) -> Formula:
        dacl = self.descriptor.dacl
        if dacl is None:
            return TRUE
        return all_of(self._bit([ace for ace in dacl if _counts(ace, bit)]) for bit in bits)

    def _bit(self, entries: Sequence[Ace]) -> Formula:
        if not self.contained:
            return self._people(entries)
        people = [ace for ace in entries if not _of_package(ace.trustee)]
        packages = (ace for ace in entries if ace.type in _ALLOWS and _of_package(ace.trustee))
        granted = any_of(self._allow(ace, self._enabled) for ace in packages)
        return granted if granted == FALSE else all_of((granted, self._people(people)))

    def _people(self, entries: Sequence[Ace]) -> Formula:
        """What user and groups are granted, twice over if the token is restricted."""
        first = self._walk(entries, self._enabled, self._denied)
        if self.token.restricted is None or first == FALSE:
            return first
        return all_of((first, self._walk(entries, self._restricting, self._restricting)))

    def _walk(self, entries: Iterable[Ace], allowed: Member, denied: Member) -> Formula:
        """Some allow entry matches and no deny entry before it does: the first match decides."""
        steps: list[tuple[Formula, Formula]] = []
        for allows, run in groupby(entries, lambda ace: ace.type in _ALLOWS):
            if allows:
                steps.append((any_of(self._allow(ace, allowed) for ace in run), FALSE))
            else:
                steps.append((FALSE, any_of(self._deny(ace, denied) for ace in run)))
        return _in_order(steps)[0]

    def _allow(self, ace: Ace, allowed: Member) -> Formula:
        """A conditional allow entry counts when its expression is true [MS-DTYP 2.5.3.2]."""
        holds = allowed(self._person(ace.trustee))
        if ace.condition is None or holds == FALSE:
            return holds
        return all_of((holds, self._verdict(ace.condition, allowed).true))

    def _deny(self, ace: Ace, denied: Member) -> Formula:
        """A conditional deny entry counts unless its expression is false [MS-DTYP 2.5.3.2]."""
        holds = denied(self._person(ace.trustee))
        if ace.condition is None or holds == FALSE:
            return holds
        return all_of((holds, negate(self._verdict(ace.condition, denied).false)))

    def _verdict(self, condition: Expression, member: Member) -> Verdict:
        return evaluate(condition, Claims.of(self.token, self.descriptor), member)

    def _person(self, trustee: Trustee) -> Trustee:
        owner = self.descriptor.owner
        return owner if trustee == OWNER_RIGHTS and owner is not None else trustee

    # -- who is in the token ---------------------------------------------------------------------------------

    def _enabled(self, trustee: Trustee) -> Formula:
        return self._among(trustee, self.token.present, "is in")

    def _denied(self, trustee: Trustee) -> Formula:
        kept = self._among(trustee, self.token.deny_only, "only denies with")
        return any_of((self._enabled(trustee), kept))

    def _restricting(self, trustee: Trustee) -> Formula:
        held = self.token.restricted or frozenset()
        if isinstance(trustee, Sid):
            return constant(trustee in held)
        return _alias(trustee.letters, held, "is restricted to")

    def _among(self, trustee: Trustee, held: frozenset[Sid], verb: str) -> Formula:
        token = self.token
        if not isinstance(trustee, Sid):
            return _alias(trustee.letters, held, verb) if token.complete else Atom(f"{verb} {trustee}")
        if _of_package(trustee) and not self.contained:
            return FALSE
        if trustee in held or trustee == ALL_RESTRICTED_PACKAGES:
            return TRUE
        elsewhere = trustee in token.present or trustee in token.deny_only or trustee in token.absent
        return FALSE if elsewhere or token.complete else Atom(f"{verb} {trustee}")


def _in_order(steps: Sequence[tuple[Formula, Formula]]) -> tuple[Formula, Formula]:
    """What several (grant, refusal) come to in this order; by halves, so that no long list nests deep."""
    if len(steps) < 2:
        return steps[0] if steps else (FALSE, FALSE)
    half = len(steps) // 2
    (grant, refusal), (later, also) = _in_order(steps[:half]), _in_order(steps[half:])
    return any_of((grant, all_of((negate(refusal), later)))), any_of((refusal, also))


def _alias(letters: str, held: Iterable[Sid], verb: str) -> Formula:
    """A group of a domain that is not known, in a set of SIDs that is: open only if one of them could be it."""
    return Atom(f"{verb} {letters}") if any(_could_be(sid, letters) for sid in held) else FALSE


def _could_be(sid: Sid, letters: str) -> bool:
    domain = sid.authority == 5 and sid.parts[0] == 21 and len(sid.parts) == 5
    return domain and sid.parts[-1] == DOMAIN_RIDS.get(letters)
