-- The newest keyset of each root that any replica has served. An older keys folder, for example one restored from a backup,
-- must not be served again: devices that saw a newer keyset refuse it. Nor may a keyset of another root or issuer be served
-- because of a wrong setting.

-- +goose Up

CREATE TABLE keyset_marks (
    root text PRIMARY KEY, -- RFC 7638 thumbprint
    place bigint GENERATED ALWAYS AS IDENTITY, -- roots follow each other in this order
    version bigint NOT NULL CHECK (version > 0),
    issuer text NOT NULL, -- the public origin
    digest text NOT NULL -- base64url SHA-256 of the keyset's compact form
);

GRANT SELECT, INSERT, UPDATE ON keyset_marks TO holdfast_runtime;
