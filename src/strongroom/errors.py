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


class AccountHasOngoingImportException(ServiceError):
    """Modelled by: cloudtrail."""


class AccountNotFoundException(ServiceError):
    """Modelled by: cloudtrail."""


class AccountNotManagementOrDelegatedAdministratorException(ServiceError):
    """Modelled by: iam."""


class AccountNotRegisteredException(ServiceError):
    """Modelled by: cloudtrail."""


class AccountRegisteredException(ServiceError):
    """Modelled by: cloudtrail."""


class AliasLimitExceededException(ServiceError):
    """Modelled by: lambda."""


class AlreadyExistsException(ServiceError):
    """Modelled by: kms."""


class CallbackTimeoutException(ServiceError):
    """Modelled by: lambda."""


class CallerIsNotManagementAccountException(ServiceError):
    """Modelled by: iam."""


class CannotDelegateManagementAccountException(ServiceError):
    """Modelled by: cloudtrail."""


class CapacityProviderLimitExceededException(ServiceError):
    """Modelled by: lambda."""


class ChannelARNInvalidException(ServiceError):
    """Modelled by: cloudtrail."""


class ChannelAlreadyExistsException(ServiceError):
    """Modelled by: cloudtrail."""


class ChannelExistsForEDSException(ServiceError):
    """Modelled by: cloudtrail."""


class ChannelMaxLimitExceededException(ServiceError):
    """Modelled by: cloudtrail."""


class ChannelNotFoundException(ServiceError):
    """Modelled by: cloudtrail."""


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


class CloudTrailARNInvalidException(ServiceError):
    """Modelled by: cloudtrail."""


class CloudTrailAccessNotEnabledException(ServiceError):
    """Modelled by: cloudtrail."""


class CloudTrailInvalidClientTokenIdException(ServiceError):
    """Modelled by: cloudtrail."""


class CloudWatchLogsDeliveryUnavailableException(ServiceError):
    """Modelled by: cloudtrail."""


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
    """Modelled by: iam, cloudtrail."""


class ConflictException(ServiceError):
    """Modelled by: kms, cloudtrail."""


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


class DelegatedAdminAccountLimitExceededException(ServiceError):
    """Modelled by: cloudtrail."""


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


class EventDataStoreARNInvalidException(ServiceError):
    """Modelled by: cloudtrail."""


class EventDataStoreAlreadyExistsException(ServiceError):
    """Modelled by: cloudtrail."""


class EventDataStoreFederationEnabledException(ServiceError):
    """Modelled by: cloudtrail."""


class EventDataStoreHasOngoingImportException(ServiceError):
    """Modelled by: cloudtrail."""


class EventDataStoreMaxLimitExceededException(ServiceError):
    """Modelled by: cloudtrail."""


class EventDataStoreNotFoundException(ServiceError):
    """Modelled by: cloudtrail."""


class EventDataStoreTerminationProtectedException(ServiceError):
    """Modelled by: cloudtrail."""


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


class GenerateResponseException(ServiceError):
    """Modelled by: cloudtrail."""


class IDPCommunicationErrorException(ServiceError):
    """Modelled by: sts."""


class IDPRejectedClaimException(ServiceError):
    """Modelled by: sts."""


class ImportNotFoundException(ServiceError):
    """Modelled by: cloudtrail."""


class InactiveEventDataStoreException(ServiceError):
    """Modelled by: cloudtrail."""


class InactiveQueryException(ServiceError):
    """Modelled by: cloudtrail."""


class IncorrectKeyException(ServiceError):
    """Modelled by: kms."""


class IncorrectKeyMaterialException(ServiceError):
    """Modelled by: kms."""


class IncorrectTrustAnchorException(ServiceError):
    """Modelled by: kms."""


class InsightNotEnabledException(ServiceError):
    """Modelled by: cloudtrail."""


class InsufficientDependencyServiceAccessPermissionException(ServiceError):
    """Modelled by: cloudtrail."""


class InsufficientEncryptionPolicyException(ServiceError):
    """Modelled by: cloudtrail."""


class InsufficientIAMAccessPermissionException(ServiceError):
    """Modelled by: cloudtrail."""


class InsufficientS3BucketPolicyException(ServiceError):
    """Modelled by: cloudtrail."""


class InsufficientSessionLifetimeException(ServiceError):
    """Modelled by: sts."""


class InsufficientSnsTopicPolicyException(ServiceError):
    """Modelled by: cloudtrail."""


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


class InvalidCloudWatchLogsLogGroupArnException(ServiceError):
    """Modelled by: cloudtrail."""


class InvalidCloudWatchLogsRoleArnException(ServiceError):
    """Modelled by: cloudtrail."""


class InvalidCodeSignatureException(ServiceError):
    """Modelled by: lambda."""


class InvalidContextAssertionException(ServiceError):
    """Modelled by: sts."""


class InvalidDateRangeException(ServiceError):
    """Modelled by: cloudtrail."""


class InvalidEventCategoryException(ServiceError):
    """Modelled by: cloudtrail."""


class InvalidEventDataStoreCategoryException(ServiceError):
    """Modelled by: cloudtrail."""


class InvalidEventDataStoreStatusException(ServiceError):
    """Modelled by: cloudtrail."""


class InvalidEventSelectorsException(ServiceError):
    """Modelled by: cloudtrail."""


class InvalidGrantIdException(ServiceError):
    """Modelled by: kms."""


class InvalidGrantTokenException(ServiceError):
    """Modelled by: kms."""


class InvalidHomeRegionException(ServiceError):
    """Modelled by: cloudtrail."""


class InvalidIdentityTokenException(ServiceError):
    """Modelled by: sts."""


class InvalidImportSourceException(ServiceError):
    """Modelled by: cloudtrail."""


class InvalidImportTokenException(ServiceError):
    """Modelled by: kms."""


class InvalidInputException(ServiceError):
    """Modelled by: iam."""


class InvalidInsightSelectorsException(ServiceError):
    """Modelled by: cloudtrail."""


class InvalidKeyUsageException(ServiceError):
    """Modelled by: kms."""


class InvalidKmsKeyIdException(ServiceError):
    """Modelled by: cloudtrail."""


class InvalidLookupAttributesException(ServiceError):
    """Modelled by: cloudtrail."""


class InvalidMarkerException(ServiceError):
    """Modelled by: kms."""


class InvalidMaxResultsException(ServiceError):
    """Modelled by: cloudtrail."""


class InvalidNextTokenException(ServiceError):
    """Modelled by: secretsmanager, cloudtrail."""


class InvalidParameterCombinationException(ServiceError):
    """Modelled by: cloudtrail."""


class InvalidParameterException(ServiceError):
    """Modelled by: secretsmanager, cloudtrail."""


class InvalidPublicKeyException(ServiceError):
    """Modelled by: iam."""


class InvalidQueryStatementException(ServiceError):
    """Modelled by: cloudtrail."""


class InvalidQueryStatusException(ServiceError):
    """Modelled by: cloudtrail."""


class InvalidRequestContentException(ServiceError):
    """Modelled by: lambda."""


class InvalidRequestException(ServiceError):
    """Modelled by: secretsmanager."""


class InvalidRuntimeException(ServiceError):
    """Modelled by: lambda."""


class InvalidS3BucketNameException(ServiceError):
    """Modelled by: cloudtrail."""


class InvalidS3PrefixException(ServiceError):
    """Modelled by: cloudtrail."""


class InvalidSecurityGroupIDException(ServiceError):
    """Modelled by: lambda."""


class InvalidSnsTopicNameException(ServiceError):
    """Modelled by: cloudtrail."""


class InvalidSourceException(ServiceError):
    """Modelled by: cloudtrail."""


class InvalidSubjectCredentialsException(ServiceError):
    """Modelled by: sts."""


class InvalidSubnetIDException(ServiceError):
    """Modelled by: lambda."""


class InvalidTagParameterException(ServiceError):
    """Modelled by: cloudtrail."""


class InvalidTimeRangeException(ServiceError):
    """Modelled by: cloudtrail."""


class InvalidTokenException(ServiceError):
    """Modelled by: cloudtrail."""


class InvalidTrailNameException(ServiceError):
    """Modelled by: cloudtrail."""


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


class KmsException(ServiceError):
    """Modelled by: cloudtrail."""


class KmsKeyDisabledException(ServiceError):
    """Modelled by: cloudtrail."""


class KmsKeyNotFoundException(ServiceError):
    """Modelled by: cloudtrail."""


class LimitExceededException(ServiceError):
    """Modelled by: secretsmanager, kms, iam."""


class MalformedCertificateException(ServiceError):
    """Modelled by: iam."""


class MalformedPolicyDocumentException(ServiceError):
    """Modelled by: secretsmanager, kms, iam, sts."""


class MaxConcurrentQueriesException(ServiceError):
    """Modelled by: cloudtrail."""


class MaximumNumberOfTrailsExceededException(ServiceError):
    """Modelled by: cloudtrail."""


class ModeNotSupportedException(ServiceError):
    """Modelled by: lambda."""


class NameConflictException(ServiceError):
    """Modelled by: iam."""


class NoManagementAccountSLRExistsException(ServiceError):
    """Modelled by: cloudtrail."""


class NoPublishedVersionException(ServiceError):
    """Modelled by: lambda."""


class NoSuchEntityException(ServiceError):
    """Modelled by: iam."""


class NotFoundException(ServiceError):
    """Modelled by: kms."""


class NotOrganizationManagementAccountException(ServiceError):
    """Modelled by: cloudtrail."""


class NotOrganizationMasterAccountException(ServiceError):
    """Modelled by: cloudtrail."""


class OpenIdIdpCommunicationErrorException(ServiceError):
    """Modelled by: iam."""


class OperationNotPermittedException(ServiceError):
    """Modelled by: cloudtrail."""


class OrganizationNotFoundException(ServiceError):
    """Modelled by: iam."""


class OrganizationNotInAllFeaturesModeException(ServiceError):
    """Modelled by: iam, cloudtrail."""


class OrganizationsNotInUseException(ServiceError):
    """Modelled by: cloudtrail."""


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


class QueryIdNotFoundException(ServiceError):
    """Modelled by: cloudtrail."""


class RecursiveInvocationException(ServiceError):
    """Modelled by: lambda."""


class RegionDisabledException(ServiceError):
    """Modelled by: sts."""


class ReportGenerationLimitExceededException(ServiceError):
    """Modelled by: iam."""


class RequestTooLargeException(ServiceError):
    """Modelled by: lambda."""


class ResourceARNNotValidException(ServiceError):
    """Modelled by: cloudtrail."""


class ResourceConflictException(ServiceError):
    """Modelled by: lambda."""


class ResourceExistsException(ServiceError):
    """Modelled by: secretsmanager."""


class ResourceInUseException(ServiceError):
    """Modelled by: lambda."""


class ResourceNotFoundException(ServiceError):
    """Modelled by: secretsmanager, lambda, cloudtrail."""


class ResourceNotReadyException(ServiceError):
    """Modelled by: lambda."""


class ResourcePolicyNotFoundException(ServiceError):
    """Modelled by: cloudtrail."""


class ResourcePolicyNotValidException(ServiceError):
    """Modelled by: cloudtrail."""


class ResourceTypeNotSupportedException(ServiceError):
    """Modelled by: cloudtrail."""


class RoleModifiedException(ServiceError):
    """Modelled by: iam."""


class RoleTemplateDisabledException(ServiceError):
    """Modelled by: iam."""


class RuntimeAliasDeletedException(ServiceError):
    """Modelled by: lambda."""


class RuntimeVersionDeletedException(ServiceError):
    """Modelled by: lambda."""


class S3BucketDoesNotExistException(ServiceError):
    """Modelled by: cloudtrail."""


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
    """Modelled by: lambda, cloudtrail."""


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


class TagsLimitExceededException(ServiceError):
    """Modelled by: cloudtrail."""


class TooManyRequestsException(ServiceError):
    """Modelled by: lambda."""


class TrailAlreadyExistsException(ServiceError):
    """Modelled by: cloudtrail."""


class TrailNotFoundException(ServiceError):
    """Modelled by: cloudtrail."""


class TrailNotProvidedException(ServiceError):
    """Modelled by: cloudtrail."""


class UnmodifiableEntityException(ServiceError):
    """Modelled by: iam."""


class UnrecognizedPublicKeyEncodingException(ServiceError):
    """Modelled by: iam."""


class UnsupportedMediaTypeException(ServiceError):
    """Modelled by: lambda."""


class UnsupportedOperationException(ServiceError):
    """Modelled by: kms, cloudtrail."""


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
