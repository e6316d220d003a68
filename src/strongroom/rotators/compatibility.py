"""What is known of the rotators against real targets, and where they differ from AWS's own. For the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["DEVIATIONS", "NOT_VERIFIED", "TRIED_ON"]

NOT_VERIFIED = "*not verified here*"

TRIED_ON: Mapping[str, str] = {
    "postgres": "PostgreSQL 15 and 18",
    "mariadb": "MariaDB 10.11",
    "redis": "Redis 7",
    "rabbitmq": "RabbitMQ 3",
    "ldap": "OpenLDAP",
    "http": "an endpoint of the tests",
    "random": "no target",
    "ssh-key": "no target",
    "tls-key": "no target",
}
"""The real target that the contract suite runs on. For an engine that is missing the tests can start none."""

DEVIATIONS: Sequence[str] = (
    "AWS's templates for Db2, InfluxDB and Active Directory, and the empty template, have no rotator here; "
    "deploy them as functions.",
    "The engine `elasticache`, and the template of that name, speak Redis's ACL commands. AWS's ElastiCache "
    "takes passwords by its own API alone; a function has to do that.",
    "MySQL itself, Aurora, Redshift, SQL Server, Oracle and MongoDB are *not verified here*: the tests "
    "cannot start them. The suite runs against one that an environment variable names "
    "(STRONGROOM_TEST_MYSQL_URL and so on; see the guide to rotators).",
    "PostgreSQL: the second of alternating users is made a member of the first, as AWS's template does, and "
    "then works as it (its setting `role`), so that what either creates belongs to one role. Attributes and "
    "settings are copied too.",
    "PostgreSQL, Redshift, MariaDB: the target is sent what it keeps of a password (a SCRAM verifier, a "
    "hash), not the password; AWS's templates send the password in the statement.",
    "MySQL and MariaDB: the second user gets an account for each host of the first; AWS's template makes one "
    "for any host. Grants are brought after in both directions at each rotation. A user name may have 32 "
    "characters (MySQL) or 80 (MariaDB); USERNAME_CHARACTER_LIMIT is heeded.",
    "Where `ssl` is absent and TLS cannot be verified, PostgreSQL, MySQL and MariaDB still get TLS if they "
    "offer it; AWS's templates go on in clear. A target that then asks for the password in clear does not "
    "get it.",
    "`sslrootcert`, or `ca`, in the secret's JSON holds the certificate (PEM) of the authority to trust; "
    "AWS's templates have a fixed bundle.",
    "The superuser secret must be for the host of the secret, except that it may name none; AWS's templates "
    "also allow a replica of RDS, which they ask RDS about.",
)
