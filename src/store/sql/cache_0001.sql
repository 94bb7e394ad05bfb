-- cache.db, version 1. Never edited after a release: a file is recognised by the exact text of its schema.
-- Find results: what each solver took for a problem on a device. The last measurement wins.
CREATE TABLE find (
  problem TEXT NOT NULL,
  device TEXT NOT NULL,
  library TEXT NOT NULL,
  solver TEXT NOT NULL,
  params TEXT NOT NULL,
  time_ms REAL NOT NULL,
  workspace_bytes INTEGER NOT NULL,
  measured_at INTEGER NOT NULL,
  PRIMARY KEY (problem, device, library, solver, params)
) STRICT, WITHOUT ROWID;
