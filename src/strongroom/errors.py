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


class AliasLimitExceededException(ServiceError):
    """Modelled by: lambda."""


class AlreadyExistsException(ServiceError):
    """Modelled by: kms."""


class CallbackTimeoutException(ServiceError):
    """Modelled by: lambda."""


class CallerIsNotManagementAccountException(ServiceError):
    """Modelled by: iam."""


class CapacityProviderLimitExceededException(ServiceError):
    """Modelled by: lambda."""


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


class CodeArtifactUserDeletedException(ServiceError):
    """Modelled by: lambda."""


class CodeArtifactUserFailedException(ServiceError):
    """Modelled by: lambda."""


class CodeArtifactUserPendingException(ServiceError):
    """Modelled by: lambda."""


class CodeSigningConfigNotFoundException(ServiceError):
    """Modelled by: lambda."""


class CodeStorageExceededException(ServiceError):
    """Modelled by: lambda."""


class CodeVerificationFailedException(ServiceError):
    """Modelled by: lambda."""


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


class DurableExecutionAlreadyStartedException(ServiceError):
    """Modelled by: lambda."""


class EC2AccessDeniedException(ServiceError):
    """Modelled by: lambda."""


class EC2ThrottledException(ServiceError):
    """Modelled by: lambda."""


class EC2UnexpectedException(ServiceError):
    """Modelled by: lambda."""


class EFSIOException(ServiceError):
    """Modelled by: lambda."""


class EFSMountConnectivityException(ServiceError):
    """Modelled by: lambda."""


class EFSMountFailureException(ServiceError):
    """Modelled by: lambda."""


class EFSMountTimeoutException(ServiceError):
    """Modelled by: lambda."""


class ENILimitReachedException(ServiceError):
    """Modelled by: lambda."""


class ENINotReadyException(ServiceError):
    """Modelled by: lambda."""


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


class FunctionVersionsPerCapacityProviderLimitExceededException(ServiceError):
    """Modelled by: lambda."""


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


class InvalidCodeSignatureException(ServiceError):
    """Modelled by: lambda."""


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


class InvalidRequestContentException(ServiceError):
    """Modelled by: lambda."""


class InvalidRequestException(ServiceError):
    """Modelled by: secretsmanager."""


class InvalidRuntimeException(ServiceError):
    """Modelled by: lambda."""


class InvalidSecurityGroupIDException(ServiceError):
    """Modelled by: lambda."""


class InvalidSubjectCredentialsException(ServiceError):
    """Modelled by: sts."""


class InvalidSubnetIDException(ServiceError):
    """Modelled by: lambda."""


class InvalidUserTypeException(ServiceError):
    """Modelled by: iam."""


class InvalidZipFileException(ServiceError):
    """Modelled by: lambda."""


class JWTPayloadSizeExceededException(ServiceError):
    """Modelled by: sts."""


class KMSAccessDeniedException(ServiceError):
    """Modelled by: lambda."""


class KMSDisabledException(ServiceError):
    """Modelled by: lambda."""


class KMSInternalException(ServiceError):
    """Modelled by: kms."""


class KMSInvalidMacException(ServiceError):
    """Modelled by: kms."""


class KMSInvalidSignatureException(ServiceError):
    """Modelled by: kms."""


class KMSInvalidStateException(ServiceError):
    """Modelled by: kms, lambda."""


class KMSNotFoundException(ServiceError):
    """Modelled by: lambda."""


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


class ModeNotSupportedException(ServiceError):
    """Modelled by: lambda."""


class NameConflictException(ServiceError):
    """Modelled by: iam."""


class NoPublishedVersionException(ServiceError):
    """Modelled by: lambda."""


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


class PolicyLengthExceededException(ServiceError):
    """Modelled by: lambda."""


class PolicyNotAttachableException(ServiceError):
    """Modelled by: iam."""


class PreconditionFailedException(ServiceError):
    """Modelled by: lambda."""


class PreconditionNotMetException(ServiceError):
    """Modelled by: secretsmanager."""


class ProvisionedConcurrencyConfigNotFoundException(ServiceError):
    """Modelled by: lambda."""


class PublicPolicyException(ServiceError):
    """Modelled by: secretsmanager, lambda."""


class RecursiveInvocationException(ServiceError):
    """Modelled by: lambda."""


class RegionDisabledException(ServiceError):
    """Modelled by: sts."""


class ReportGenerationLimitExceededException(ServiceError):
    """Modelled by: iam."""


class RequestTooLargeException(ServiceError):
    """Modelled by: lambda."""


class ResourceConflictException(ServiceError):
    """Modelled by: lambda."""


class ResourceExistsException(ServiceError):
    """Modelled by: secretsmanager."""


class ResourceInUseException(ServiceError):
    """Modelled by: lambda."""


class ResourceNotFoundException(ServiceError):
    """Modelled by: secretsmanager, lambda."""


class ResourceNotReadyException(ServiceError):
    """Modelled by: lambda."""


class RoleModifiedException(ServiceError):
    """Modelled by: iam."""


class RoleTemplateDisabledException(ServiceError):
    """Modelled by: iam."""


class RuntimeAliasDeletedException(ServiceError):
    """Modelled by: lambda."""


class RuntimeVersionDeletedException(ServiceError):
    """Modelled by: lambda."""


class S3FilesMountConnectivityException(ServiceError):
    """Modelled by: lambda."""


class S3FilesMountFailureException(ServiceError):
    """Modelled by: lambda."""


class S3FilesMountTimeoutException(ServiceError):
    """Modelled by: lambda."""


class SerializedRequestEntityTooLargeException(ServiceError):
    """Modelled by: lambda."""


class ServiceAccessNotEnabledException(ServiceError):
    """Modelled by: iam."""


class ServiceException(ServiceError):
    """Modelled by: lambda."""


class ServiceFailureException(ServiceError):
    """Modelled by: iam."""


class ServiceNotSupportedException(ServiceError):
    """Modelled by: iam."""


class ServiceQuotaExceededException(ServiceError):
    """Modelled by: lambda."""


class SessionDurationEscalationException(ServiceError):
    """Modelled by: sts."""


class SnapStartException(ServiceError):
    """Modelled by: lambda."""


class SnapStartNotReadyException(ServiceError):
    """Modelled by: lambda."""


class SnapStartRegenerationFailureException(ServiceError):
    """Modelled by: lambda."""


class SnapStartTimeoutException(ServiceError):
    """Modelled by: lambda."""


class SubnetIPAddressLimitReachedException(ServiceError):
    """Modelled by: lambda."""


class TagException(ServiceError):
    """Modelled by: kms."""


class TooManyRequestsException(ServiceError):
    """Modelled by: lambda."""


class UnmodifiableEntityException(ServiceError):
    """Modelled by: iam."""


class UnrecognizedPublicKeyEncodingException(ServiceError):
    """Modelled by: iam."""


class UnsupportedMediaTypeException(ServiceError):
    """Modelled by: lambda."""


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
