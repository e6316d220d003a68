"""How RotateSecret finds by what a secret is to be rotated, and makes sure that it can be.

Source: fact sheet rotation sections 1, 6 and 11.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from strongroom.errors import (
    AccessDeniedException,
    DecryptionFailure,
    InvalidRequestException,
    ResourceNotFoundException,
    ServiceError,
    ValidationException,
)
from strongroom.names import AWSCURRENT, secret_arn
from strongroom.operations.authorize import allowed, authorize, note
from strongroom.operations.call import Call, Target
from strongroom.operations.datakeys import open_value
from strongroom.operations.lambda_.policies import may_invoke
from strongroom.operations.refusals import note_unreachable
from strongroom.operations.rotation_role import ROLE_NAME, as_service, kept_role
from strongroom.operations.rotation_way import ByFunction, ByRotator, rotator_of, way_of
from strongroom.operations.secretsmanager.resolution import secret_target
from strongroom.ports import WriteUnit
from strongroom.secret.document import RotationFault, SecretDocument, parse_document
from strongroom.secret.lifecycle import is_marked
from strongroom.secret.records import Rotation, Secret
from strongroom.secret.rotation import ADMIN, NO_FUNCTION, admin_use

__all__ = ["Choice"]

# Recorded (fact sheet rotation section 1).
CANNOT_INVOKE: Final = (
    "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants "
    "access to the principal secretsmanager.amazonaws.com."
)
NO_PERMISSION: Final = (
    "The function is not there, or its policy does not let secretsmanager.amazonaws.com invoke it for this "
    "secret: AddPermission does that."
)
# Ours.
CANNOT_READ: Final = (
    "Secrets Manager can't rotate this secret without a rotation function, because the role {} can't read "
    "it: {} Let the role read the secret, or give a RotationLambdaARN."
)
CANNOT_ROTATE: Final = "Secrets Manager can't rotate this secret: {}."
ROLE_NAME_TAKEN: Final = (
    "Secrets Manager can't rotate this secret without a rotation function: a role of your own has the name "
    f"{ROLE_NAME}, or the role of that name doesn't trust secretsmanager.amazonaws.com. Delete that role."
)
NO_ROTATOR: Final = (
    f"{NO_FUNCTION} The engine in the secret's JSON is none that this server rotates without a function; "
    "those are {}."
)
NO_SUPERUSER: Final = (
    "Secrets Manager can't find the superuser secret that masterarn in the secret's JSON names: it has to be "
    "the ARN of a secret of this Region, or the name of one of the same account."
)
SUPERUSER_MARKED: Final = (
    "You can't rotate this secret, because the superuser secret that masterarn in its JSON names was marked "
    "for deletion."
)
_GET: Final = "secretsmanager:GetSecretValue"


class Choice:
    """The choice for one RotateSecret."""

    def __init__(self, call: Call, unit: WriteUnit, secret: Secret) -> None:
        self._call = call
        self._unit = unit
        self._secret = secret
        self._rotator: ByRotator | None = None
        self._document: SecretDocument | None = None
        self.carried_out = False
        """Whether a rotation can take place at all: not for managed external secrets."""

    def has_rotator(self) -> bool:
        """True when there is a rotator for what the current value says; read as the service's own role.

        Raises:
            InvalidRequestException: the role cannot read it; or it names an engine there is no rotator for.
        """
        rotators = self._call.resources.rotators
        if rotators is None:
            return False
        self._find_rotator()
        if self._rotator is None and self._document is not None and self._document.get("engine") is not None:
            raise InvalidRequestException(NO_ROTATOR.format(", ".join(rotators.engines())))
        return self._rotator is not None

    def _find_rotator(self) -> None:
        document = self._read()
        self._rotator = None if document is None else rotator_of(self._call.resources, document)

    def applied(self, rotation: Rotation) -> Rotation:
        """Return the rotation with what was found noted in it.

        Raises:
            AccessDeniedException: there is no such function, or Secrets Manager may not invoke it; or the
                caller may not read the superuser secret, which the rotation is going to use.
            ResourceNotFoundException: there is no superuser secret.
            DecryptionFailure, InvalidRequestException: the caller cannot read it (`open_value`); it is marked
                for deletion; or `masterarn` is no text.
        """
        way = way_of(self._unit, self._call.resources, replace(self._secret, rotation=rotation))
        if isinstance(way, ByFunction):
            if not may_invoke(self._unit, way.arn, self._secret.arn, self._secret.account_id):
                target = Target("lambda:InvokeFunction", way.arn, self._secret.account_id)
                note_unreachable(self._call, target, CANNOT_INVOKE, NO_PERMISSION)
                raise AccessDeniedException(CANNOT_INVOKE)
            self.carried_out = True
            return replace(rotation, engine=None, admin_use=None)
        if way is None:
            if self._rotator is None:
                self._find_rotator()
            way = self._rotator
        if way is None:
            return replace(rotation, engine=None, admin_use=None)
        self.carried_out = True
        return replace(rotation, engine=way.name, admin_use=self._admin())

    def _admin(self) -> bytes | None:
        document = self._document if self._document is not None else self._read()
        if document is None:
            return None
        try:
            admin = document.text(ADMIN, "")
        except RotationFault as fault:
            raise InvalidRequestException(CANNOT_ROTATE.format(fault.message)) from fault
        if not admin:
            return None
        # SECURITY: whoever may rotate a secret must not thereby use a superuser secret he may not read; and
        # reading it takes its key, too.
        try:
            target = secret_target(self._call, self._unit, self._meant(admin), _GET)
        except ValidationException as refusal:
            raise ResourceNotFoundException(NO_SUPERUSER) from refusal
        authorize(self._call, self._unit, (target,))
        found = target.record
        if not isinstance(found, Secret):
            # What came later under that name would have been approved by nobody.
            raise ResourceNotFoundException(NO_SUPERUSER)
        if is_marked(found):
            raise InvalidRequestException(SUPERUSER_MARKED)
        version = self._unit.version(found.arn, found.labels.get(AWSCURRENT, ""))
        if version is not None:
            open_value(self._call, self._unit, version, region=found.region, account_id=found.account_id)
        return admin_use(self._secret.arn, document)

    def _meant(self, admin: str) -> str:
        """Return the ARN that a name stands for when the rotation comes to it: in the secret's own account.

        SECURITY: the caller may be of another account, and have a secret of that name there.
        """
        if admin.startswith("arn:"):
            return admin
        home = self._secret
        found = self._unit.secret_named(home.account_id, home.region, admin)
        if found is not None:
            return found.arn
        return secret_arn(home.region, home.account_id, admin, "").removesuffix("-")

    def _read(self) -> SecretDocument | None:
        """Return the current value's members; None when it has none."""
        call, unit, secret = self._call, self._unit, self._secret
        version = unit.version(secret.arn, secret.labels.get(AWSCURRENT, ""))
        if version is None:
            return None
        role = kept_role(unit, secret.account_id, call.received_at, call.resources.entropy)
        if role is None:
            raise InvalidRequestException(ROLE_NAME_TAKEN)
        service = as_service(call, role)
        target = secret_target(service, unit, secret.arn, _GET)
        try:
            decision = allowed(service, unit, target)
            if not decision.allowed:
                error = AccessDeniedException("a policy denies it.")
                note(service, unit, target, decision, CANNOT_READ.format(role.arn, _sentence(error)))
                raise error
            value = open_value(service, unit, version, region=secret.region, account_id=secret.account_id)
        except (AccessDeniedException, DecryptionFailure) as refusal:
            raise InvalidRequestException(CANNOT_READ.format(role.arn, _sentence(refusal))) from refusal
        try:
            self._document = parse_document(value)
        except RotationFault:
            return None
        return self._document


def _sentence(refusal: ServiceError) -> str:
    return f"{refusal.message.rstrip('.')}."
