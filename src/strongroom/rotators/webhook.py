"""API keys, tokens, and whatever else a service of the user's own changes: steps by POST to its `url`.

The protocol is described in docs/guide/rotators.md. Each request names the version id, by which the service
knows a repeated step; its body is signed with the member `signingKey`.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from strongroom.ports import Entropy, Rotator
from strongroom.rotators.deadlines import Deadline
from strongroom.rotators.http_calls import exchange
from strongroom.rotators.tls import Tls, client_context
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, Strategy
from strongroom.secret.material import CheckFinding, RotationMaterial

__all__ = ["SIGNATURE", "TIMESTAMP", "webhook"]

URL, KEY = "url", "signingKey"
KEY_CHARACTERS = 16
MOST_BYTES = 65_536
TIMESTAMP, SIGNATURE = "X-Strongroom-Timestamp", "X-Strongroom-Signature"
_FIXED = frozenset(("engine", URL, KEY, "ca", "sslrootcert", "ssl"))
"""What a service may not change: who is asked, and how it knows who asks."""
_KINDS: Mapping[int, FaultKind] = {401: FaultKind.LOGIN, 403: FaultKind.PRIVILEGE, 422: FaultKind.LIMIT}
_TOLD: Mapping[FaultKind, str] = {
    FaultKind.LOGIN: "the service does not take the credential, or the request's signature",
    FaultKind.PRIVILEGE: "the service says that a privilege is missing",
    FaultKind.LIMIT: "the service says that a limit stands in the way",
}


def webhook() -> Rotator:
    return _Webhook()


@dataclass(frozen=True, slots=True)
class _Webhook:
    engines = frozenset({"http"})
    strategies = frozenset({Strategy.SINGLE_USER})

    def propose(self, material: RotationMaterial, entropy: Entropy) -> SecretDocument:
        """Return the current document with the members the service answers.

        Other than for databases this asks the target: who issues keys makes them. It has to answer the same
        for the same version id.
        """
        answer = _ask("createSecret", material)
        members = answer.get("members")
        if not isinstance(members, dict) or not members or not _FIXED.isdisjoint(members):
            message = "the service answered createSecret without members to change, or with some it may not"
            raise RotationFault(FaultKind.TARGET, message)
        return material.current.replaced(**members)

    def set(self, material: RotationMaterial) -> None:
        _ask("setSecret", material)

    def test(self, material: RotationMaterial) -> None:
        _ask("testSecret", material)

    def finish(self, material: RotationMaterial) -> None:
        _ask("finishSecret", material)

    def check(self, material: RotationMaterial) -> Sequence[CheckFinding]:
        try:
            _ask("check", material)
        except RotationFault as fault:
            return [CheckFinding("service", fault.kind, fault.message)]
        return [CheckFinding("service", None, "the service answers, and knows this secret")]


def _ask(step: str, material: RotationMaterial) -> dict[str, Any]:
    """Return what the service answered.

    Raises:
        RotationFault: it cannot be reached, or did not answer 200 with a JSON object.
    """
    current = material.current
    url, key = current.text(URL), current.text(KEY)
    _verify(url, key, plain=current.flag("ssl") is False)
    body = orjson.dumps(
        {
            "step": step,
            "secretId": material.secret_arn,
            "versionId": material.version_id,
            "current": dict(_shown(current)),
            "pending": None if material.pending is None else dict(_shown(material.pending)),
        }
    )
    timestamp = str(int(time.time()))
    signature = hmac.new(key.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    deadline = Deadline(material.attempt_seconds)
    encrypted = url.startswith("https:")
    status, content = exchange(
        "POST",
        url,
        headers={
            "Content-Type": "application/json",
            TIMESTAMP: timestamp,
            SIGNATURE: f"v1={signature}",
        },
        body=body,
        deadline=deadline,
        most_bytes=MOST_BYTES,
        context=client_context(current, Tls.VERIFIED) if encrypted else None,
    )
    return _answer(status, content)


def _answer(status: int, content: bytes) -> dict[str, Any]:
    # SECURITY: nothing of an answer is quoted; it may repeat what was sent.
    if status != 200:
        kind = _KINDS.get(status, FaultKind.TARGET)
        raise RotationFault(kind, _TOLD.get(kind, f"the service answered {status}"))
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict):
        raise RotationFault(FaultKind.TARGET, "the service did not answer a JSON object")
    return answer


def _verify(url: str, key: str, *, plain: bool) -> None:
    try:
        parts = urlsplit(url)
        _ = parts.port
        fits = parts.scheme == "https" or (parts.scheme == "http" and plain)
    except ValueError:
        fits = False
    if not fits or not parts.hostname or parts.username is not None:
        message = (
            "url in the secret JSON must begin with https:// (http:// where ssl is false), and name a host"
        )
        raise RotationFault(FaultKind.SECRET, message)
    if len(key) < KEY_CHARACTERS:
        message = f"{KEY} in the secret JSON must have at least {KEY_CHARACTERS} characters"
        raise RotationFault(FaultKind.SECRET, message)


def _shown(document: SecretDocument) -> Mapping[str, Any]:
    """Return what the service is told of a document: not the key it knows."""
    return {name: value for name, value in document.items() if name != KEY}
