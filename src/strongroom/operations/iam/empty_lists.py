"""Lists of what nobody has here, asked for by tools that remove users: MFA devices, SSH keys, certificates,
credentials of other services. Source: fact sheet iam section 12.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from strongroom.names import user_arn
from strongroom.operations.call import AuthorizedCall, Call, Handler, Operation, Target, Unit
from strongroom.operations.iam.paging import parse_marker
from strongroom.operations.iam.resolution import IGNORES_CASE, is_root_itself, on_user_or_caller, present
from strongroom.ports import ReadUnit

_ALWAYS_EMPTY: Final = "The list is always empty: there is no operation that would put anything in it."


def _empty_for_user(member: str) -> Handler:
    """Return the handler that returns an empty list of what a user has.

    It raises:
        NoSuchEntityException: no such user.
        ValidationException: a Marker this service did not give out.
    """

    def handle(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
        if not is_root_itself(authorized.call):
            present(authorized.call, authorized.target)
        return _empty(member, authorized)

    return handle


def _credentials_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    if call.request.get("AllUsers") and "UserName" not in call.request:
        every = user_arn(call.account_id, "/", "*")
        return (Target("iam:ListServiceSpecificCredentials", every, call.account_id),)
    return on_user_or_caller("iam:ListServiceSpecificCredentials")(call, unit)


def list_service_specific_credentials(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return an empty list, of one user's credentials or of everybody's.

    Raises:
        NoSuchEntityException: no such user.
        ValidationException: a Marker this service did not give out.
    """
    if authorized.request.get("AllUsers") and "UserName" not in authorized.request:
        return _empty("ServiceSpecificCredentials", authorized)
    return _empty_for_user("ServiceSpecificCredentials")(authorized, unit) or {}


def _every_device(call: Call, unit: ReadUnit) -> Sequence[Target]:
    return (Target("iam:ListVirtualMFADevices", "*", call.account_id),)


def list_virtual_mfa_devices(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return an empty list, whatever AssignmentStatus is asked for.

    Raises:
        ValidationException: a Marker this service did not give out.
    """
    return _empty("VirtualMFADevices", authorized)


def _empty(member: str, authorized: AuthorizedCall) -> Mapping[str, Any]:
    parse_marker(authorized.request)
    return {member: [], "IsTruncated": False}


LIST_MFA_DEVICES = Operation(
    name="ListMFADevices",
    action="iam:ListMFADevices",
    unit=Unit.READ,
    targets=on_user_or_caller("iam:ListMFADevices"),
    handle=_empty_for_user("MFADevices"),
    deviations=(IGNORES_CASE, _ALWAYS_EMPTY),
)
LIST_SIGNING_CERTIFICATES = Operation(
    name="ListSigningCertificates",
    action="iam:ListSigningCertificates",
    unit=Unit.READ,
    targets=on_user_or_caller("iam:ListSigningCertificates"),
    handle=_empty_for_user("Certificates"),
    deviations=(IGNORES_CASE, _ALWAYS_EMPTY),
)
LIST_SSH_PUBLIC_KEYS = Operation(
    name="ListSSHPublicKeys",
    action="iam:ListSSHPublicKeys",
    unit=Unit.READ,
    targets=on_user_or_caller("iam:ListSSHPublicKeys"),
    handle=_empty_for_user("SSHPublicKeys"),
    deviations=(IGNORES_CASE, _ALWAYS_EMPTY),
)
LIST_SERVICE_SPECIFIC_CREDENTIALS = Operation(
    name="ListServiceSpecificCredentials",
    action="iam:ListServiceSpecificCredentials",
    unit=Unit.READ,
    targets=_credentials_targets,
    handle=list_service_specific_credentials,
    deviations=(IGNORES_CASE, _ALWAYS_EMPTY),
)
LIST_VIRTUAL_MFA_DEVICES = Operation(
    name="ListVirtualMFADevices",
    action="iam:ListVirtualMFADevices",
    unit=Unit.READ,
    targets=_every_device,
    handle=list_virtual_mfa_devices,
    deviations=(_ALWAYS_EMPTY,),
)
