"""What is MariaDB's of a rotation function, by PyMySQL as in AWS's templates."""

import re

import pymysql

LONGEST_USER = 80


def connect(secret):
    """Return a connection, or None where these credentials do not log in."""
    for tls in modes(secret.get("ssl")):
        try:
            return pymysql.connect(
                host=secret["host"],
                port=int(secret.get("port", 3306)),
                user=secret["username"],
                password=secret["password"],
                database=secret.get("dbname"),
                connect_timeout=5,
                **tls,
            )
        except pymysql.OperationalError:
            continue
    return None


def modes(ssl):
    """Absent: try TLS, fall back to plain."""
    encrypted = {"ssl": {"ca": "/etc/ssl/certs/ca-certificates.crt"}, "ssl_verify_identity": True}
    if ssl is None:
        return [encrypted, {"ssl_disabled": True}]
    return [encrypted] if str(ssl).lower() == "true" else [{"ssl_disabled": True}]


def change_own_password(connection, user, password):
    with connection.cursor() as cursor:
        cursor.execute("SET PASSWORD = PASSWORD(%s)", (password,))
    connection.commit()


def set_like(connection, user, clone, password):
    with connection.cursor() as cursor:
        cursor.execute("SELECT host FROM mysql.user WHERE user = %s", (user,))
        for (host,) in cursor.fetchall():
            cursor.execute("CREATE USER IF NOT EXISTS %s@%s IDENTIFIED BY %s", (clone, host, password))
            cursor.execute("SHOW GRANTS FOR %s@%s", (user, host))
            for (grant,) in cursor.fetchall():
                rights = re.split(r" TO [`']", grant, maxsplit=1)[0]
                option = " WITH GRANT OPTION" if grant.endswith("WITH GRANT OPTION") else ""
                cursor.execute(rights.replace("%", "%%") + " TO %s@%s" + option, (clone, host))
            cursor.execute("ALTER USER %s@%s IDENTIFIED BY %s", (clone, host, password))
    connection.commit()


def ask_the_time(connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT NOW()")
    connection.commit()
