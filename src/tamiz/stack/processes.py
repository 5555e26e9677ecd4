"""Who owns a socket: the application and the token behind the ALE fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tamiz.model.facts import UNKNOWN, Fact
from tamiz.model.security import Token
from tamiz.model.sids import ADMINISTRATORS, AUTHENTICATED_USERS, EVERYONE, LOCAL_SYSTEM, NULL_SID, Sid
from tamiz.model.values import app_id, blob, sid_value, token_value


@dataclass(frozen=True, slots=True)
class Process:
    """`app` is the NT path of the image; None, like a token of None, is not known. `package`: the package SID, where
    it is known; a token that is known to be of no app container has S-1-0-0. `original_app`: the application before
    a redirection, the same where there was none."""

    app: str | None = None
    token: Token | None = None
    package: Sid | None = None
    original_app: str | None = None
    id: int | None = None

    @property
    def app_container(self) -> bool | None:
        if self.package is not None:
            return self.package != NULL_SID
        return self.token.app_container if self.token else None

    def app_fact(self) -> Fact:
        return blob(app_id(self.app)) if self.app is not None else UNKNOWN

    def original_app_fact(self) -> Fact:
        return blob(app_id(self.original_app)) if self.original_app is not None else self.app_fact()

    def token_fact(self) -> Fact:
        return token_value(self.token) if self.token is not None else UNKNOWN

    def package_fact(self) -> Fact:
        if self.package is not None:
            return sid_value(self.package)
        return sid_value(NULL_SID) if self.app_container is False else UNKNOWN


UNKNOWN_PROCESS: Final = Process()
_SYSTEM_TOKEN: Final = Token(
    frozenset((LOCAL_SYSTEM, ADMINISTRATORS, EVERYONE, AUTHENTICATED_USERS)), app_container=False
)
SYSTEM: Final = Process("System", _SYSTEM_TOKEN, id=4)  # the kernel itself, as events name it [O]
