-- Access tokens that only introspection can read, by the SHA-256 of each, until they are over. They are no part of the state: a
-- token is issued without a command.
CREATE TABLE token (
    realm {text} NOT NULL,
    hash {text} NOT NULL,
    expires_at BIGINT NOT NULL,
    claims {text} NOT NULL,
    PRIMARY KEY (realm, hash)
);
CREATE INDEX token_expires_at ON token (expires_at);
