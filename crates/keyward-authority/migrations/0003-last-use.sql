-- When keys and secrets were last used, in seconds since 1970. No state: no event says it, and a node that ends may lose some.
CREATE TABLE last_use (
    kind {text} NOT NULL,
    realm {text} NOT NULL,
    id {text} NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (kind, realm, id)
);
