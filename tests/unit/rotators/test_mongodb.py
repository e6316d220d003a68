"""What MongoDB's errors mean; rotations themselves need a server (tests/contract/rotators/test_lent_servers)."""

from __future__ import annotations

import pytest
from pymongo.errors import AutoReconnect, NetworkTimeout, OperationFailure, ServerSelectionTimeoutError

from strongroom.rotators.mongodb import _fault
from strongroom.secret.document import FaultKind


@pytest.mark.parametrize(
    ("error", "tls", "kind"),
    [
        (OperationFailure("canary", 18), False, FaultKind.LOGIN),
        (OperationFailure("canary", 13), False, FaultKind.PRIVILEGE),
        (OperationFailure("canary", 11), False, FaultKind.TARGET),
        (OperationFailure("canary", 10107), False, FaultKind.TARGET),
        (OperationFailure("canary", 9999), False, FaultKind.TARGET),
        (ServerSelectionTimeoutError("canary SSL handshake failed"), True, FaultKind.TLS),
        (ServerSelectionTimeoutError("canary"), False, FaultKind.UNREACHABLE),
        (NetworkTimeout("canary"), False, FaultKind.UNREACHABLE),
        (AutoReconnect("canary"), False, FaultKind.UNREACHABLE),
    ],
)
def test_errors_mean_what_a_person_can_act_on(error: Exception, tls: bool, kind: FaultKind) -> None:
    fault = _fault(error, tls=tls)
    assert fault.kind is kind
    assert "canary" not in fault.message
