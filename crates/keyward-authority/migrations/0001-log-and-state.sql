-- {text} is the engine's type for text that is ordered by octets.

-- One row: the position of the last event. Whoever changes anything holds it until its transaction ends, so that the order
-- of commits is the order of positions, and no position is left out.
CREATE TABLE log_head (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    position BIGINT NOT NULL
);
INSERT INTO log_head (one, position) VALUES (1, 0);

-- What happened, in order. An event holds its entity as it is from then on; none where it is gone.
CREATE TABLE event (
    position BIGINT PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    actor {text} NOT NULL,
    action {text} NOT NULL,
    kind {text} NOT NULL,
    realm {text} NOT NULL,
    id {text} NOT NULL,
    body {text}
);

-- What is, which is what the last event of each entity says.
CREATE TABLE state (
    kind {text} NOT NULL,
    realm {text} NOT NULL,
    id {text} NOT NULL,
    position BIGINT NOT NULL,
    body {text} NOT NULL,
    PRIMARY KEY (kind, realm, id)
);

-- What may be used once, such as the jti of an assertion, until it would not be taken anyway.
CREATE TABLE used (
    what {text} PRIMARY KEY,
    until_ms BIGINT NOT NULL
);
CREATE INDEX used_until ON used (until_ms);
