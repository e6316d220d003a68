"""Rotates one user's password: the user changes it itself. `engine` is the module of the database."""

import engine

import contract


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


def create_secret(client, arn, token, event):
    current = contract.value_of(client, arn, "AWSCURRENT")
    contract.put_pending(
        client, arn, token, event, lambda: {**current, "password": contract.new_password(client)}
    )


def set_secret(client, arn, token, event):
    pending = contract.value_of(client, arn, "AWSPENDING", token)
    connection = engine.connect(pending)
    if connection:
        connection.close()
        contract.logger.info("setSecret: the pending password is set already")
        return
    current = contract.value_of(client, arn, "AWSCURRENT")
    for name in ("username", "host"):
        if pending[name] != current[name]:
            raise ValueError(
                f"Attempting to modify {name} {pending[name]} other than current {name} {current[name]}"
            )
    connection = engine.connect(current)
    if not connection:
        try:
            previous = contract.value_of(client, arn, "AWSPREVIOUS")
        except client.exceptions.ResourceNotFoundException:
            previous = None
        if previous and (previous["username"], previous["host"]) == (pending["username"], pending["host"]):
            connection = engine.connect(previous)
    if not connection:
        raise ValueError(
            f"Unable to log into database with previous, current, or pending secret of secret arn {arn}"
        )
    try:
        engine.change_own_password(connection, pending["username"], pending["password"])
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
