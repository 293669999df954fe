-- Finds the secrets that are kept sealed, which are few or none, without reading those that are not.
CREATE INDEX secret_sealed ON secret (org_id, id) WHERE LENGTH(sealed) > 0;
