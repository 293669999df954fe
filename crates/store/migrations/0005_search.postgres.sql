CREATE INDEX token_by_name_part ON token USING gin (name_fold gin_trgm_ops)
    WHERE state <> 'revoked' AND (kind = 'user' OR kind = 'service');
CREATE INDEX account_by_identifier_part ON account USING gin (identifier_fold gin_trgm_ops);
