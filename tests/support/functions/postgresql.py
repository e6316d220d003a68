"""What is PostgreSQL's of a rotation function, by PyGreSQL as in AWS's templates."""

import pgdb

LONGEST_USER = 63


def connect(secret):
    """Return a connection, or None where these credentials do not log in."""
    for mode in modes(secret.get("ssl")):
        try:
            return pgdb.connect(
                host=secret["host"],
                port=int(secret.get("port", 5432)),
                user=secret["username"],
                password=secret["password"],
                database=secret.get("dbname", "postgres"),
                connect_timeout=5,
                sslmode=mode,
            )
        except pgdb.InternalError:
            continue
    return None


def modes(ssl):
    """Absent: try TLS, fall back to plain."""
    if ssl is None:
        return ["verify-full", "disable"]
    return ["verify-full"] if str(ssl).lower() == "true" else ["disable"]


def change_own_password(connection, user, password):
    with connection.cursor() as cursor:
        cursor.execute("ALTER USER " + quoted(cursor, user) + " WITH PASSWORD %s", (password,))
    connection.commit()


def set_like(connection, user, clone, password):
    with connection.cursor() as cursor:
        name = quoted(cursor, clone)
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (clone,))
        if cursor.fetchone():
            cursor.execute("ALTER USER " + name + " WITH PASSWORD %s", (password,))
        else:
            cursor.execute("CREATE ROLE " + name + " WITH LOGIN PASSWORD %s", (password,))
            cursor.execute("GRANT " + quoted(cursor, user) + " TO " + name)
    connection.commit()


def ask_the_time(connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT NOW()")
    connection.commit()


def quoted(cursor, name):
    cursor.execute("SELECT quote_ident(%s)", (name,))
    return cursor.fetchone()[0]
