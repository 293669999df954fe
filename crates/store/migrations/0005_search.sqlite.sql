-- Which texts have which trigrams. See store/src/search/trigrams.rs.
CREATE VIRTUAL TABLE token_text USING fts5 (id UNINDEXED, name, tokenize = 'trigram', detail = 'none', columnsize = 0);
CREATE VIRTUAL TABLE account_text USING fts5 (id UNINDEXED, identifier, tokenize = 'trigram', detail = 'none', columnsize = 0);
INSERT INTO token_text (id, name) SELECT id, name_fold FROM token WHERE name_fold <> '';
INSERT INTO account_text (id, identifier) SELECT id, identifier_fold FROM account;
