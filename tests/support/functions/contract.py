"""What every rotation function does on every step, whatever it rotates. Goes into the zip files."""

import json
import logging
import os

import boto3

logger = logging.getLogger()
logger.setLevel(logging.INFO)


def rotate(event, steps):
    """Check that the version may be rotated, and do the step."""
    arn, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    client = boto3.client("secretsmanager", endpoint_url=os.environ["SECRETS_MANAGER_ENDPOINT"])
    described = client.describe_secret(SecretId=arn)
    if not described.get("RotationEnabled", True):
        raise ValueError(f"Secret {arn} is not enabled for rotation")
    stages = described["VersionIdsToStages"]
    if token not in stages:
        raise ValueError(f"Secret version {token} has no stage for rotation of secret {arn}.")
    if "AWSCURRENT" in stages[token]:
        logger.info("%s: version %s is already set as AWSCURRENT", step, token)
        return
    if "AWSPENDING" not in stages[token]:
        raise ValueError(f"Secret version {token} not set as AWSPENDING for rotation of secret {arn}.")
    if step not in steps:
        raise ValueError(f"Invalid step parameter {step} for secret {arn}")
    steps[step](client, arn, token, event)
    logger.info("%s: done for version %s of %s", step, token, arn)


def value_of(client, arn, stage, token=None, required=()):
    """Return the JSON of one version."""
    which = {"VersionId": token} if token else {}
    answer = client.get_secret_value(SecretId=arn, VersionStage=stage, **which)
    value = json.loads(answer["SecretString"])
    for name in ("host", "username", "password", *required):
        if name not in value:
            raise KeyError(f"{name} key is missing from secret JSON")
    return value


def put_pending(client, arn, token, event, make):
    """Store what `make` returns as the pending version, unless there is one."""
    try:
        value_of(client, arn, "AWSPENDING", token)
        logger.info("createSecret: the pending version is there already")
        return
    except client.exceptions.ResourceNotFoundException:
        pass
    passed_on = {"RotationToken": event["RotationToken"]} if "RotationToken" in event else {}
    client.put_secret_value(
        SecretId=arn,
        ClientRequestToken=token,
        SecretString=json.dumps(make()),
        VersionStages=["AWSPENDING"],
        **passed_on,
    )


def new_password(client):
    """Return a password after the variables that AWS's templates read."""

    def flag(name, default="false"):
        return os.environ.get(name, default).lower() == "true"

    return client.get_random_password(
        ExcludeCharacters=os.environ.get("EXCLUDE_CHARACTERS", ":/@\"'\\"),
        PasswordLength=int(os.environ.get("PASSWORD_LENGTH", "32")),
        ExcludeNumbers=flag("EXCLUDE_NUMBERS"),
        ExcludePunctuation=flag("EXCLUDE_PUNCTUATION"),
        ExcludeUppercase=flag("EXCLUDE_UPPERCASE"),
        ExcludeLowercase=flag("EXCLUDE_LOWERCASE"),
        RequireEachIncludedType=flag("REQUIRE_EACH_INCLUDED_TYPE", "true"),
    )["RandomPassword"]


def promote(client, arn, token, event):
    """Make the pending version the current one."""
    stages = client.describe_secret(SecretId=arn)["VersionIdsToStages"]
    current = next((version for version, labels in stages.items() if "AWSCURRENT" in labels), None)
    if current == token:
        return
    client.update_secret_version_stage(
        SecretId=arn, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=current
    )
