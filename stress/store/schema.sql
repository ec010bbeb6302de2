-- The run file of tls-stress: one SQLite database holds one whole run.
--
-- Schema 2. History:
--   1  the first
--   2  the table `attribute` is called `attempt_group`, and so are the columns that refer to it.
--      Later releases may add columns to attempt_group, client, finding and handshake without a new number:
--      a reader takes a column that is missing for NULL. Files of older releases lack the
--      tables record_part and vantage. A merged run may lack rows of good attempts: meta.attempts
--      then says how many attempts are counted in cell, port and histogram.
--
-- How to read it: `handshake` (a view, at the end) has one readable row for each attempt. The tables
-- are compact: what many attempts share is stored once, in `attempt_group`, and `attempt` holds only
-- what differs. Unix times and durations are nanoseconds. NULL means "not reached".
-- `PRAGMA application_id` is 0x544C5353 ("TLSS"), `PRAGMA user_version` the number of the schema.

CREATE TABLE meta ( -- Facts of the run as a whole: schema, plan, versions, host, start, end.
  key TEXT PRIMARY KEY,       -- schema, plan, versions, host, started_ns, started, ending, and marks
  value TEXT NOT NULL         -- plain text, a number, or JSON
) WITHOUT ROWID;

CREATE TABLE anchor ( -- Trust anchors given with the run; those of the system are not copied.
  position INTEGER PRIMARY KEY, -- order in which they were given
  der BLOB NOT NULL             -- the certificate
);

CREATE TABLE address ( -- Addresses of the target.
  id INTEGER PRIMARY KEY,     -- index in the run
  text TEXT NOT NULL,         -- address and port, such as 192.0.2.1:443 or [2001:db8::1]:443
  ip TEXT NOT NULL,           -- canonical text
  port INTEGER NOT NULL,      -- port of the target
  label TEXT                  -- a name the user gave it
);

CREATE TABLE source ( -- Local addresses that connections were made from, if the plan names them.
  id INTEGER PRIMARY KEY,     -- index in the plan
  ip TEXT NOT NULL            -- canonical text
);

CREATE TABLE vantage ( -- Machines whose runs were merged; empty: all attempts come from one.
  id INTEGER PRIMARY KEY,     -- in the order in which they started
  name TEXT NOT NULL,         -- as the report calls it
  host TEXT NOT NULL,         -- name and address of the machine
  started_ns INTEGER NOT NULL, -- Unix time of its start by its own clock
  networks TEXT NOT NULL,     -- JSON list: local addresses that connections are known to come from
  versions TEXT NOT NULL,     -- JSON: tool, Python, TLS libraries, kernel
  answers TEXT NOT NULL,      -- JSON list: addresses of the target by its DNS at the start
  offset_ns INTEGER,          -- how far its clock was ahead; NULL: unknown, nothing was corrected
  error_ns INTEGER,           -- of offset_ns, plus or minus
  rows TEXT NOT NULL,         -- path there of the file with all rows of its attempts; empty: none
  secrets TEXT NOT NULL       -- path there of the TLS secrets of its evidence; empty: none
);

CREATE TABLE client ( -- Client profiles of the run.
  id INTEGER PRIMARY KEY,     -- index in the plan
  name TEXT NOT NULL,         -- name of the profile
  title TEXT NOT NULL,        -- which program it is
  policy TEXT NOT NULL,       -- trust policy of its platform
  stack TEXT                  -- TLS library that sends its ClientHello
);

CREATE TABLE certificate ( -- Distinct certificates.
  id INTEGER PRIMARY KEY,     -- in the order first seen
  sha256 BLOB NOT NULL UNIQUE, -- SHA-256 of the DER
  der BLOB NOT NULL           -- the certificate as sent
);

CREATE TABLE chain ( -- Distinct chains.
  id INTEGER PRIMARY KEY,     -- in the order first seen, from 1
  sha256 BLOB NOT NULL UNIQUE -- SHA-256 over the DER of all certificates in the order sent
);

CREATE TABLE chain_certificate ( -- Which certificates a chain has.
  chain INTEGER NOT NULL REFERENCES chain, -- whose
  position INTEGER NOT NULL,  -- 0 is the leaf; the order sent
  certificate INTEGER NOT NULL REFERENCES certificate, -- which
  PRIMARY KEY (chain, position)
) WITHOUT ROWID;

CREATE TABLE verdict ( -- The result of validating a chain with a trust policy.
  id INTEGER PRIMARY KEY,     -- in the order made, from 1
  chain INTEGER NOT NULL REFERENCES chain, -- which chain was validated
  policy TEXT NOT NULL,       -- name of the policy
  host TEXT NOT NULL,         -- the name that was checked
  at INTEGER NOT NULL,        -- Unix seconds for which it was validated
  refusal TEXT NOT NULL,      -- no, sometimes, yes: the strongest of the findings
  outcome TEXT NOT NULL,      -- the finding that names the failure, or ok
  families TEXT NOT NULL,     -- JSON list: client families that reject it, for a policy of several
  UNIQUE (chain, policy, host, at)
);

CREATE TABLE finding ( -- One thing that is wrong with a chain.
  verdict INTEGER NOT NULL REFERENCES verdict, -- whose
  rank INTEGER NOT NULL,      -- importance to the policy, 0 first
  category TEXT NOT NULL,     -- failure category
  position INTEGER,           -- which certificate; NULL: the chain as a whole
  detail TEXT NOT NULL,       -- the values, as text
  refusal TEXT NOT NULL,      -- no, sometimes, yes
  versions TEXT,              -- those of the family's root store that reject it; empty: all
  PRIMARY KEY (verdict, rank)
) WITHOUT ROWID;

CREATE TABLE attempt_group ( -- Distinct combinations of the attributes that attempts share.
  id INTEGER PRIMARY KEY,     -- in the order first seen, from 0
  @shared@
  side TEXT NOT NULL,         -- who the outcome is about: nobody, target, ours, not-sent
  first_ns INTEGER,           -- Unix time of the earliest start among the attempts counted in cell
  last_ns INTEGER             -- Unix time of the latest
);

CREATE TABLE name ( -- Names of the numbers in attempt_group.
  kind TEXT NOT NULL,         -- stage, tls_version, cipher, key_group
  number INTEGER NOT NULL,    -- as in attempt_group
  name TEXT NOT NULL,         -- IANA's name, or the number as hexadecimal where there is none
  PRIMARY KEY (kind, number)
) WITHOUT ROWID;

CREATE TABLE attempt ( -- One row for each attempt, in the order in which they ended.
  arrival INTEGER PRIMARY KEY, -- 1 for the first that ended, without gaps
  lead INTEGER NOT NULL,      -- id minus arrival: small, because attempts end nearly as they start
  attempt_group INTEGER NOT NULL REFERENCES attempt_group, -- what it shares with others
  due INTEGER NOT NULL,       -- when it was meant to start, from the start of the run
  late INTEGER NOT NULL,      -- from due to the start
  port INTEGER,               -- local port
  connect INTEGER,            -- duration of connect()
  server INTEGER,             -- the target's own time
  handshake INTEGER,          -- from ClientHello sent to handshake finished
  total INTEGER NOT NULL,     -- from due to the end
  lag INTEGER,                -- added by our own process
  bytes INTEGER NOT NULL      -- received
);

CREATE TABLE remark ( -- Attempts that are failures of the target, or that have a detail.
  arrival INTEGER PRIMARY KEY REFERENCES attempt, -- which
  detail INTEGER REFERENCES detail -- NULL: a failure without a detail
);

CREATE TABLE detail ( -- What else was seen, as text. The same text may occur twice.
  id INTEGER PRIMARY KEY,     -- in the order first seen, from 1
  text TEXT NOT NULL          -- such as an errno name, a library's reason, the first bytes
);

@apart@
CREATE TABLE cell ( -- The cube: attempts by time block and group, up to arrival meta.counted.
  block INTEGER NOT NULL,     -- time block of due; meta.block_ns is its width
  attempt_group INTEGER NOT NULL REFERENCES attempt_group, -- what they share
  count INTEGER NOT NULL,     -- attempts
  PRIMARY KEY (block, attempt_group)
) WITHOUT ROWID;

CREATE TABLE port ( -- Attempts by local port, without ours and not-sent; only in large runs.
  port INTEGER PRIMARY KEY,   -- local port
  attempts INTEGER NOT NULL,  -- without ours and not-sent
  failures INTEGER NOT NULL   -- of the target
);

CREATE TABLE histogram ( -- Latencies, without warm-up; written when the run ends.
  phase TEXT NOT NULL,        -- connect, server, handshake, total, attempt, lag
  outcome TEXT NOT NULL,      -- ok, or failed: failures of the target (in total also not-sent)
  block INTEGER NOT NULL,     -- -1: the whole run; else time block of due, only in large runs;
                              -- meta.histogram_block_ns is its width
  count INTEGER NOT NULL,     -- values
  clamped INTEGER NOT NULL,   -- values outside of 1 us to 120 s, counted at the edge
  hdr TEXT NOT NULL,          -- microseconds: base64 of the compressed HdrHistogram encoding V2
  PRIMARY KEY (phase, outcome, block)
) WITHOUT ROWID;

CREATE TABLE record_part ( -- Records that are not ours (`tls-stress isolate`), by columns; meta.records.
  of INTEGER NOT NULL,        -- 0: time block, 1: outcome, 2: attempts of the row, from 3: dimension
  part INTEGER NOT NULL,      -- 0 for the first 200,000 rows
  codes BLOB NOT NULL,        -- zlib of little-endian integers of 2, 1, 8 and 1 bytes
  PRIMARY KEY (of, part)
) WITHOUT ROWID;

CREATE TABLE evidence ( -- Bytes on the wire, of failures and of matched good attempts.
  id INTEGER PRIMARY KEY,     -- in the order recorded
  attempt INTEGER NOT NULL,   -- handshake.id
  role TEXT NOT NULL,         -- failure or control
  transcript BLOB NOT NULL    -- zlib of MessagePack: row, flights with time stamps, closes, secrets
);

CREATE VIEW handshake AS -- One readable row for each attempt.
SELECT
  attempt.arrival + attempt.lead AS id,
  (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'started_ns') + attempt.due AS due_ns,
  (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'started_ns')
    + attempt.due + attempt.late AS started_ns,
  @columns@
  detail.text AS detail
FROM attempt
JOIN attempt_group ON attempt_group.id = attempt.attempt_group
@joins@
LEFT JOIN remark ON remark.arrival = attempt.arrival
LEFT JOIN detail ON detail.id = remark.detail;

CREATE VIEW failures AS -- The failures of the target, as in handshake.
SELECT handshake.* FROM handshake
WHERE handshake.outcome IN (SELECT outcome FROM attempt_group WHERE side = 'target');

CREATE VIEW chains_seen AS -- Every distinct chain, commonest first.
SELECT
  chain.id AS chain,
  lower(hex(chain.sha256)) AS sha256,
  (SELECT count(*) FROM chain_certificate WHERE chain_certificate.chain = chain.id) AS certificates,
  (SELECT sum(cell.count) FROM cell JOIN attempt_group ON attempt_group.id = cell.attempt_group
    WHERE attempt_group.chain = chain.id) AS seen,
  (SELECT min(first_ns) FROM attempt_group WHERE attempt_group.chain = chain.id) AS first_ns,
  (SELECT max(last_ns) FROM attempt_group WHERE attempt_group.chain = chain.id) AS last_ns,
  (SELECT group_concat(DISTINCT outcome) FROM attempt_group
    WHERE attempt_group.chain = chain.id) AS outcomes
FROM chain
ORDER BY seen DESC;

CREATE VIEW by_address AS -- Attempts and failures of each address, without ours and not-sent.
SELECT
  address.text AS address,
  address.label AS label,
  coalesce(sum(cell.count), 0) AS attempts,
  coalesce(sum(cell.count) FILTER (WHERE attempt_group.side = 'target'), 0) AS failures
FROM address
LEFT JOIN attempt_group
  ON attempt_group.address = address.id AND attempt_group.side IN ('nobody', 'target')
LEFT JOIN cell ON cell.attempt_group = attempt_group.id
GROUP BY address.id;
