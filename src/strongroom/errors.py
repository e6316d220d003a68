"""One class per AWS error shape: the answers this program gives when it refuses.

The class name is the shape's name in the service models, so a search from a client's log finds it. The
classes know no protocol: `wire/faults.py` alone maps a class to code, HTTP status and body.
"""

from __future__ import annotations


class ServiceError(Exception):
    """An answer to the caller. `message` is what AWS says; it never holds a secret value.

    An empty message is sent as no message at all (some KMS errors come so, fact sheet kms section 1).
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message


class IntegrityError(Exception):
    """Damage found: something stored does not open or does not fit together.

    Logged with its evidence; the caller hears InternalServiceError, or DecryptionFailure where a value
    will not open, and never which check failed.
    """


# Platform errors: not in the service models; sources: fact sheets secretsmanager 1, sigv4 6 and 7.


class ValidationException(ServiceError):
    """A member breaks the constraints its shape declares."""


class SerializationException(ServiceError):
    """The body is not what the protocol says it must be."""


class UnknownOperationException(ServiceError):
    """No such service or operation."""


class AccessDeniedException(ServiceError):
    """Policies do not allow the call."""


class InvalidParameterValueException(ServiceError):
    """A member's value is not among those that make sense here (STS: tags of a session)."""


class ExpiredWebIdentityTokenException(ServiceError):
    """The web identity token has expired; STS's ExpiredTokenException, which has its own code and status."""


class MissingAuthenticationTokenException(ServiceError):
    """The call is not signed at all."""


class IncompleteSignatureException(ServiceError):
    """Parts of the signature are absent or malformed."""


class InvalidSignatureException(ServiceError):
    """The signature does not fit the request, or the request's time or scope does not fit here."""


class UnrecognizedClientException(ServiceError):
    """The access key or session token is unknown or inactive."""


class ThrottlingException(ServiceError):
    """Too many calls."""


class RequestEntityTooLargeException(ServiceError):
    """The body is over the limit."""


class RequestTimeoutException(ServiceError):
    """The body did not arrive in time."""


class ServiceUnavailableException(ServiceError):
    """The server cannot serve now, for a reason that may pass (full disk, stopping); nothing was done."""


# Modelled errors.


class AccountNotManagementOrDelegatedAdministratorException(ServiceError):
    """Modelled by: iam."""


class AlreadyExistsException(ServiceError):
    """Modelled by: kms."""


class CallerIsNotManagementAccountException(ServiceError):
    """Modelled by: iam."""


class CloudHsmClusterInUseException(ServiceError):
    """Modelled by: kms."""


class CloudHsmClusterInvalidConfigurationException(ServiceError):
    """Modelled by: kms."""


class CloudHsmClusterNotActiveException(ServiceError):
    """Modelled by: kms."""


class CloudHsmClusterNotFoundException(ServiceError):
    """Modelled by: kms."""


class CloudHsmClusterNotRelatedException(ServiceError):
    """Modelled by: kms."""


class ConcurrentModificationException(ServiceError):
    """Modelled by: iam."""


class ConflictException(ServiceError):
    """Modelled by: kms."""


class CredentialReportExpiredException(ServiceError):
    """Modelled by: iam."""


class CredentialReportNotPresentException(ServiceError):
    """Modelled by: iam."""


class CredentialReportNotReadyException(ServiceError):
    """Modelled by: iam."""


class CustomKeyStoreHasCMKsException(ServiceError):
    """Modelled by: kms."""


class CustomKeyStoreInvalidStateException(ServiceError):
    """Modelled by: kms."""


class CustomKeyStoreNameInUseException(ServiceError):
    """Modelled by: kms."""


class CustomKeyStoreNotFoundException(ServiceError):
    """Modelled by: kms."""


class DecryptionFailure(ServiceError):
    """Modelled by: secretsmanager."""


class DeleteConflictException(ServiceError):
    """Modelled by: iam."""


class DependencyTimeoutException(ServiceError):
    """Modelled by: kms."""


class DisabledException(ServiceError):
    """Modelled by: kms."""


class DryRunOperationException(ServiceError):
    """Modelled by: kms."""


class DuplicateCertificateException(ServiceError):
    """Modelled by: iam."""


class DuplicateSSHPublicKeyException(ServiceError):
    """Modelled by: iam."""


class EncryptionFailure(ServiceError):
    """Modelled by: secretsmanager."""


class EntityAlreadyExistsException(ServiceError):
    """Modelled by: iam."""


class EntityTemporarilyUnmodifiableException(ServiceError):
    """Modelled by: iam."""


class ExpiredImportTokenException(ServiceError):
    """Modelled by: kms."""


class ExpiredTokenException(ServiceError):
    """Modelled by: sts."""


class ExpiredTradeInTokenException(ServiceError):
    """Modelled by: sts."""


class FeatureDisabledException(ServiceError):
    """Modelled by: iam."""


class FeatureEnabledException(ServiceError):
    """Modelled by: iam."""


class IDPCommunicationErrorException(ServiceError):
    """Modelled by: sts."""


class IDPRejectedClaimException(ServiceError):
    """Modelled by: sts."""


class IncorrectKeyException(ServiceError):
    """Modelled by: kms."""


class IncorrectKeyMaterialException(ServiceError):
    """Modelled by: kms."""


class IncorrectTrustAnchorException(ServiceError):
    """Modelled by: kms."""


class InsufficientSessionLifetimeException(ServiceError):
    """Modelled by: sts."""


class InternalServiceError(ServiceError):
    """Modelled by: secretsmanager."""


class InvalidAliasNameException(ServiceError):
    """Modelled by: kms."""


class InvalidArnException(ServiceError):
    """Modelled by: kms."""


class InvalidAuthenticationCodeException(ServiceError):
    """Modelled by: iam."""


class InvalidAuthorizationMessageException(ServiceError):
    """Modelled by: sts."""


class InvalidCertificateException(ServiceError):
    """Modelled by: iam."""


class InvalidCiphertextException(ServiceError):
    """Modelled by: kms."""


class InvalidContextAssertionException(ServiceError):
    """Modelled by: sts."""


class InvalidGrantIdException(ServiceError):
    """Modelled by: kms."""


class InvalidGrantTokenException(ServiceError):
    """Modelled by: kms."""


class InvalidIdentityTokenException(ServiceError):
    """Modelled by: sts."""


class InvalidImportTokenException(ServiceError):
    """Modelled by: kms."""


class InvalidInputException(ServiceError):
    """Modelled by: iam."""


class InvalidKeyUsageException(ServiceError):
    """Modelled by: kms."""


class InvalidMarkerException(ServiceError):
    """Modelled by: kms."""


class InvalidNextTokenException(ServiceError):
    """Modelled by: secretsmanager."""


class InvalidParameterException(ServiceError):
    """Modelled by: secretsmanager."""


class InvalidPublicKeyException(ServiceError):
    """Modelled by: iam."""


class InvalidRequestException(ServiceError):
    """Modelled by: secretsmanager."""


class InvalidSubjectCredentialsException(ServiceError):
    """Modelled by: sts."""


class InvalidUserTypeException(ServiceError):
    """Modelled by: iam."""


class JWTPayloadSizeExceededException(ServiceError):
    """Modelled by: sts."""


class KMSInternalException(ServiceError):
    """Modelled by: kms."""


class KMSInvalidMacException(ServiceError):
    """Modelled by: kms."""


class KMSInvalidSignatureException(ServiceError):
    """Modelled by: kms."""


class KMSInvalidStateException(ServiceError):
    """Modelled by: kms."""


class KeyPairMismatchException(ServiceError):
    """Modelled by: iam."""


class KeyUnavailableException(ServiceError):
    """Modelled by: kms."""


class LimitExceededException(ServiceError):
    """Modelled by: secretsmanager, kms, iam."""


class MalformedCertificateException(ServiceError):
    """Modelled by: iam."""


class MalformedPolicyDocumentException(ServiceError):
    """Modelled by: secretsmanager, kms, iam, sts."""


class NameConflictException(ServiceError):
    """Modelled by: iam."""


class NoSuchEntityException(ServiceError):
    """Modelled by: iam."""


class NotFoundException(ServiceError):
    """Modelled by: kms."""


class OpenIdIdpCommunicationErrorException(ServiceError):
    """Modelled by: iam."""


class OrganizationNotFoundException(ServiceError):
    """Modelled by: iam."""


class OrganizationNotInAllFeaturesModeException(ServiceError):
    """Modelled by: iam."""


class OutboundWebIdentityFederationDisabledException(ServiceError):
    """Modelled by: sts."""


class PackedPolicyTooLargeException(ServiceError):
    """Modelled by: sts."""


class PasswordPolicyViolationException(ServiceError):
    """Modelled by: iam."""


class PolicyEvaluationException(ServiceError):
    """Modelled by: iam."""


class PolicyNotAttachableException(ServiceError):
    """Modelled by: iam."""


class PreconditionNotMetException(ServiceError):
    """Modelled by: secretsmanager."""


class PublicPolicyException(ServiceError):
    """Modelled by: secretsmanager."""


class RegionDisabledException(ServiceError):
    """Modelled by: sts."""


class ReportGenerationLimitExceededException(ServiceError):
    """Modelled by: iam."""


class ResourceExistsException(ServiceError):
    """Modelled by: secretsmanager."""


class ResourceNotFoundException(ServiceError):
    """Modelled by: secretsmanager."""


class RoleModifiedException(ServiceError):
    """Modelled by: iam."""


class RoleTemplateDisabledException(ServiceError):
    """Modelled by: iam."""


class ServiceAccessNotEnabledException(ServiceError):
    """Modelled by: iam."""


class ServiceFailureException(ServiceError):
    """Modelled by: iam."""


class ServiceNotSupportedException(ServiceError):
    """Modelled by: iam."""


class SessionDurationEscalationException(ServiceError):
    """Modelled by: sts."""


class TagException(ServiceError):
    """Modelled by: kms."""


class UnmodifiableEntityException(ServiceError):
    """Modelled by: iam."""


class UnrecognizedPublicKeyEncodingException(ServiceError):
    """Modelled by: iam."""


class UnsupportedOperationException(ServiceError):
    """Modelled by: kms."""


class XksKeyAlreadyInUseException(ServiceError):
    """Modelled by: kms."""


class XksKeyInvalidConfigurationException(ServiceError):
    """Modelled by: kms."""


class XksKeyNotFoundException(ServiceError):
    """Modelled by: kms."""


class XksProxyIncorrectAuthenticationCredentialException(ServiceError):
    """Modelled by: kms."""


class XksProxyInvalidConfigurationException(ServiceError):
    """Modelled by: kms."""


class XksProxyInvalidResponseException(ServiceError):
    """Modelled by: kms."""


class XksProxyUriEndpointInUseException(ServiceError):
    """Modelled by: kms."""


class XksProxyUriInUseException(ServiceError):
    """Modelled by: kms."""


class XksProxyUriUnreachableException(ServiceError):
    """Modelled by: kms."""


class XksProxyVpcEndpointServiceInUseException(ServiceError):
    """Modelled by: kms."""


class XksProxyVpcEndpointServiceInvalidConfigurationException(ServiceError):
    """Modelled by: kms."""


class XksProxyVpcEndpointServiceNotFoundException(ServiceError):
    """Modelled by: kms."""
