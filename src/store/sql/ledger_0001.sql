-- ledger.db, version 1. Never edited after a release: changes are a ledger_0002.sql that alters what stands here.
-- Times are seconds since the epoch. The last verdict on each trial; `error` is Infinity where it was not a number.
CREATE TABLE verdict (
  solver TEXT NOT NULL,
  problem TEXT NOT NULL,
  problem_class TEXT NOT NULL,
  device TEXT NOT NULL,
  library TEXT NOT NULL,
  verdict TEXT NOT NULL,
  error REAL NOT NULL,
  tolerance REAL NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (solver, problem, problem_class, device, library)
) STRICT, WITHOUT ROWID;

-- What went wrong. Quarantine is the sum of strikes of the young rows. Numbers are never used twice: users type them.
CREATE TABLE incident (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  solver TEXT NOT NULL,
  problem TEXT NOT NULL,
  problem_class TEXT NOT NULL,
  device TEXT NOT NULL,
  library TEXT NOT NULL,
  verdict TEXT NOT NULL,
  strikes INTEGER NOT NULL,
  signal INTEGER NOT NULL,
  reason TEXT NOT NULL,
  host TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX incident_by_trial ON incident (solver, device, library, problem_class, at);

-- Trials now running, with what is needed to tell whether their process still lives. Numbers are never used twice: a
-- process that comes back late must not close another's intent.
CREATE TABLE intent (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  solver TEXT NOT NULL,
  problem TEXT NOT NULL,
  problem_class TEXT NOT NULL,
  device TEXT NOT NULL,
  library TEXT NOT NULL,
  pid INTEGER NOT NULL,
  process_started INTEGER NOT NULL,
  pid_namespace TEXT NOT NULL,
  boot TEXT NOT NULL,
  host TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
