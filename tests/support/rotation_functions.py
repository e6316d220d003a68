"""A rotation function of `support.functions` on a running server, set up as on AWS."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping

from support.functions import HANDLER, packaged
from support.running import Server

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
RIGHTS = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": [
                    "secretsmanager:DescribeSecret",
                    "secretsmanager:GetSecretValue",
                    "secretsmanager:PutSecretValue",
                    "secretsmanager:UpdateSecretVersionStage",
                ],
                "Resource": "*",
            },
            {"Effect": "Allow", "Action": "secretsmanager:GetRandomPassword", "Resource": "*"},
        ],
    }
)


def a_role(server: Server) -> str:
    """Return the ARN of a new execution role that may do what a rotation function has to."""
    iam, name = server.client("iam"), f"rotation-{uuid.uuid4().hex[:12]}"
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="rotate", PolicyDocument=RIGHTS)
    iam.close()
    return arn


def a_function(
    server: Server,
    role: str,
    engine: str,
    strategy: str,
    *,
    seconds: int = 30,
    code: bytes | None = None,
    variables: Mapping[str, str] | None = None,
) -> str:
    """Return the ARN of a new function that the service may invoke, and that ends after `seconds`.

    `code` and `variables` are its own instead of, and beside, those of a function of `support.functions`.
    """
    client = server.client("lambda")
    arn: str = client.create_function(
        FunctionName=f"rotate-{uuid.uuid4().hex[:12]}",
        Runtime="python3.12",
        Role=role,
        Handler=HANDLER,
        Code={"ZipFile": code or packaged(engine, strategy)},
        Timeout=seconds,
        # As the templates are set up for AWS.
        Environment={
            "Variables": {
                "SECRETS_MANAGER_ENDPOINT": "https://secretsmanager.eu-central-1.amazonaws.com",
                **(variables or {}),
            }
        },
    )["FunctionArn"]
    client.add_permission(
        FunctionName=arn,
        StatementId="service",
        Action="lambda:InvokeFunction",
        Principal="secretsmanager.amazonaws.com",
        SourceAccount=arn.split(":")[4],
    )
    client.close()
    return arn
