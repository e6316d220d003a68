"""The targets a whole server is tried with, started by the tests themselves."""

from __future__ import annotations

from contextlib import ExitStack

from support.ldap_target import LdapTarget
from support.mariadb_server import running_mariadb
from support.mariadb_target import MariadbTarget
from support.postgres_server import running_postgres
from support.postgres_target import PostgresTarget
from support.rabbitmq_server import running_rabbitmq
from support.rabbitmq_target import RabbitTarget
from support.redis_server import running_redis
from support.redis_target import RedisTarget
from support.rotation_scene import Target
from support.slapd_server import running_slapd


def running_target(engine: str, stack: ExitStack) -> tuple[Target, dict[str, int]]:
    """Return a running target, and its ports as a secret's JSON names them."""
    match engine:
        case "postgresql":
            postgres = stack.enter_context(running_postgres())
            return PostgresTarget(postgres), {"port": postgres.port}
        case "mariadb":
            mariadb = stack.enter_context(running_mariadb())
            mariadb.run("SET GLOBAL strict_password_validation = 0")
            return MariadbTarget(mariadb), {"port": mariadb.port}
        case "redis":
            redis = stack.enter_context(running_redis())
            return RedisTarget(redis), {"port": redis.port}
        case "ldap":
            slapd = stack.enter_context(running_slapd())
            return LdapTarget(slapd), {"port": slapd.port}
    rabbit = stack.enter_context(running_rabbitmq())
    return RabbitTarget(rabbit), {"port": rabbit.port, "managementPort": rabbit.api_port}
