"""Rotates between a user and its clone, by a superuser's hand. `engine` is the module of the database."""

import engine

import contract

SUFFIX = "_clone"


def lambda_handler(event, context):
    contract.rotate(
        event,
        {
            "createSecret": create_secret,
            "setSecret": set_secret,
            "testSecret": test_secret,
            "finishSecret": contract.promote,
        },
    )


def other_user(name):
    if name.endswith(SUFFIX):
        return name[: -len(SUFFIX)]
    if len(name + SUFFIX) > engine.LONGEST_USER:
        raise ValueError("Unable to clone user, username length with _clone appended would exceed the limit")
    return name + SUFFIX


def create_secret(client, arn, token, event):
    current = contract.value_of(client, arn, "AWSCURRENT", required=["masterarn"])
    contract.put_pending(
        client,
        arn,
        token,
        event,
        lambda: {
            **current,
            "username": other_user(current["username"]),
            "password": contract.new_password(client),
        },
    )


def set_secret(client, arn, token, event):
    pending = contract.value_of(client, arn, "AWSPENDING", token)
    connection = engine.connect(pending)
    if connection:
        connection.close()
        contract.logger.info("setSecret: the pending password is set already")
        return
    current = contract.value_of(client, arn, "AWSCURRENT", required=["masterarn"])
    if (other_user(current["username"]), current["host"]) != (pending["username"], pending["host"]):
        raise ValueError("Attempting to modify a user other than the clone of the current one")
    connection = engine.connect(current)
    if not connection:
        raise ValueError(f"Unable to log into database using current credentials for secret {arn}")
    connection.close()
    superuser = contract.value_of(client, current["masterarn"], "AWSCURRENT")
    if superuser["host"] != current["host"]:
        raise ValueError(
            f"Current database host {current['host']} is not the same host as that of the superuser"
        )
    connection = engine.connect(superuser)
    if not connection:
        raise ValueError(
            f"Unable to log into database using credentials in master secret {current['masterarn']}"
        )
    try:
        engine.set_like(connection, current["username"], pending["username"], pending["password"])
    finally:
        connection.close()


def test_secret(client, arn, token, event):
    connection = engine.connect(contract.value_of(client, arn, "AWSPENDING", token))
    if not connection:
        raise ValueError(f"Unable to log into database with pending secret of secret ARN {arn}")
    try:
        engine.ask_the_time(connection)
    finally:
        connection.close()
