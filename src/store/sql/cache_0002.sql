-- cache.db, version 2: compiled programs. `key` says everything that shaped the code; `code` is one zstd frame, `bytes` the size and
-- `checksum` the XXH3 (64 bits, in hexadecimal) of what is in it. The code stands last: rows are listed without reading it.
CREATE TABLE kernel (
  key TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  architecture TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  stored_bytes INTEGER NOT NULL,
  compile_ms REAL NOT NULL,
  created INTEGER NOT NULL,
  last_used INTEGER NOT NULL,
  checksum TEXT NOT NULL,
  code BLOB NOT NULL
) STRICT;
CREATE INDEX kernel_by_use ON kernel (last_used, stored_bytes);
