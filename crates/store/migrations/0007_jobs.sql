-- Jobs that people ask for are their org's, and are looked for by it.
CREATE INDEX job_by_org ON job (org_id, id);
