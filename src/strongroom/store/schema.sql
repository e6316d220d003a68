CREATE TABLE changes (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    "key" TEXT NOT NULL
);

CREATE TABLE events (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    body BLOB NOT NULL
);

CREATE TABLE records (
    kind TEXT NOT NULL,
    scope TEXT NOT NULL,
    "key" TEXT NOT NULL,
    alternate TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (kind, scope, "key")
);

CREATE UNIQUE INDEX records_by_alternate ON records (kind, scope, alternate);

CREATE TABLE secrets (
    arn TEXT NOT NULL,
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_changed_at BIGINT NOT NULL,
    last_accessed_day BIGINT NOT NULL,
    deletion_at BIGINT,
    body BLOB NOT NULL,
    PRIMARY KEY (arn)
);

CREATE INDEX secrets_by_created_at ON secrets (account_id, region, created_at, arn);

CREATE INDEX secrets_by_deletion_at ON secrets (deletion_at, arn) WHERE deletion_at IS NOT NULL;

CREATE INDEX secrets_by_last_accessed_day ON secrets (account_id, region, last_accessed_day, arn);

CREATE INDEX secrets_by_last_changed_at ON secrets (account_id, region, last_changed_at, arn);

CREATE UNIQUE INDEX secrets_by_name ON secrets (account_id, region, name);

CREATE TABLE versions (
    secret_arn TEXT NOT NULL,
    version_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_accessed_day BIGINT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (secret_arn, version_id)
);
