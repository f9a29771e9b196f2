-- The analysts' contract: views that any SQLite opens. docs/schema.md is made from this file.
--
-- Amounts are whole numbers in base units, as text, because 64 bits are too few for wei: SUM and ORDER BY over them are
-- wrong. Totals come as rows (v_ledger, v_balance, v_leg.arrived), and amount_key sorts as the amount does. Rows are of
-- canonical blocks only, unless a view's name ends in _all or _orphaned; alerts stay whatever became of their block.
-- v_leg adds up exactly by summing seven limbs of 12 digits and carrying.
--
-- Shared columns:
-- chain           name of the chain in the configuration; v_chain has its CAIP-2 id
-- case_ref        the case, as its case file names it
-- watch_ref       the watched address, as the case file names it
-- leg_ref         the planned leg, as the case file names it
-- role            what the holder is to the case: seized, authority, agency, exchange, refund
-- height          height of the block
-- block_hash      hash of the block, hex, in display order
-- block_id        number of the block in this store; of two canonical blocks of a chain the higher one is the newer
-- time            block time, whole seconds since 1970 (UTC)
-- time_utc        block time as text, such as 2025-06-05T08:00:00Z
-- canonical       1 if the block is on the canonical chain, 0 if a reorg took it away, or it does not meet it yet
-- confirmations   1 in the tip, 0 where a reorg took the block away
-- confirmed       1 if the block is confirmed by the chain's policy, else 0
-- final           1 if the block is final by the chain's policy, else 0
-- txid            transaction id, hex, in display order, without 0x; null where no transaction carries the row
-- txid_bytes      the same as 32 bytes: look a transaction up by this one (txid_bytes = x'..'), it has an index
-- asset           CAIP-19 id of the asset
-- symbol          how people call the asset; empty for tokens that are not listed: for what they say see v_token_text
-- decimals        power of ten of one display unit: amount / 10^decimals; 0 for tokens that are not listed
-- asset_class     native (the chain's own), listed (allow-list), unlisted (anybody's token), nft
-- calls_itself    the symbol that an unlisted token gives itself, cleaned (v_token_text); null if it gives none
-- amount          base units, as text
-- amount_key      sorts as the amount does: its number of digits, then the digits
-- movement_id     number of the movement in v_movement
-- outpoint        txid:index of the output; null for other kinds
-- address         address as text; the holder's bytes in hex where it has none
-- method          tracing method: fifo, haircut; first-hop on account chains
-- label           number of the seized coin whose value this is, in chain order (see v_trace_seed)
-- label_outpoint  txid:index of that seized coin
-- hop             transactions since a watched holder had the value; 0: a watched holder has it
-- boundary        why the trace stops here (fee, burn, exchange deposit, refund address, budget: ..); null: it goes on
-- verdict         SHOWN, CONTRADICTED or NOT_SHOWN
-- reason          why, in words
-- lane            weakest lane of the claims: PROVEN, REPORTED, ATTESTED, INFERRED
-- checked         how far the block was checked: reported (not), header (policy `hits`), whole (against all its roots)
-- claims          JSON list of {what, lane, refs}; refs name rows: movement:ID, block:ID, attestation:ID

-- Who may vouch for block hashes: the nodes of each chain, and the hashes that the operator pinned.
--
-- source          the node's name in the configuration, `primary` for the one of the chain's own table; or pin HEIGHT:HASH
-- kind            node, or pin
-- place           scheme, host and port of the node; null for a pin
-- active          1 if it is in the configuration that the daemon last ran with
-- vouched_height  height of the newest canonical block that it showed, and so vouches for all below; null: none
-- vouched_hash    hash of that block, hex
-- vouched_at      when it showed it, seconds since 1970 by the daemon's wall clock
-- vouched_at_utc  the same as text
-- differs_from    first height at which it shows another block now; null: it does not
CREATE VIEW v_source AS
SELECT c.name AS chain, s.name AS source, s.kind, nullif(s.place, '') AS place, s.active, v.height AS vouched_height,
    nullif(lower(hex(v.hash)), '') AS vouched_hash, v.at AS vouched_at,
    strftime('%Y-%m-%dT%H:%M:%SZ', v.at, 'unixepoch') AS vouched_at_utc, d.height AS differs_from
FROM source s
JOIN chain c ON c.id = s.chain_id
LEFT JOIN vouch v ON v.id = (
    SELECT w.id FROM vouch w JOIN block b ON b.chain_id = s.chain_id AND b.hash = w.hash AND b.canonical
    WHERE w.source_id = s.id ORDER BY w.id DESC LIMIT 1
)
LEFT JOIN source_disagreement d ON d.source_id = s.id AND d.ended_at IS NULL;

-- Which source showed which hash at which height, oldest first; by its parents a block vouches for all below it.
--
-- vouch_id        grows with time
-- source          as in v_source
-- at              when, seconds since 1970 by the daemon's wall clock
-- at_utc          the same as text
-- canonical       1 if that block is on the canonical chain now, 0 if a reorg took it away
CREATE VIEW v_vouch AS
SELECT v.id AS vouch_id, c.name AS chain, s.name AS source, v.height, lower(hex(v.hash)) AS block_hash, v.at,
    strftime('%Y-%m-%dT%H:%M:%SZ', v.at, 'unixepoch') AS at_utc, coalesce(b.canonical, 0) AS canonical
FROM vouch v
JOIN source s ON s.id = v.source_id
JOIN chain c ON c.id = s.chain_id
LEFT JOIN block b ON b.chain_id = s.chain_id AND b.hash = v.hash;

-- Where a source showed another block than ours, and until when.
--
-- disagreement_id  grows with time
-- source          as in v_source
-- height          the first height at which the two differ
-- our_hash        our block there, hex
-- their_hash      the source's block there, hex
-- seen_at         when that was first seen, seconds since 1970 by the daemon's wall clock
-- seen_at_utc     the same as text
-- ended_at        when it was over; null: it stands
-- ended_at_utc    the same as text
CREATE VIEW v_disagreement AS
SELECT d.id AS disagreement_id, c.name AS chain, s.name AS source, d.height, lower(hex(d.ours)) AS our_hash,
    lower(hex(d.theirs)) AS their_hash, d.seen_at, strftime('%Y-%m-%dT%H:%M:%SZ', d.seen_at, 'unixepoch') AS seen_at_utc,
    d.ended_at, strftime('%Y-%m-%dT%H:%M:%SZ', d.ended_at, 'unixepoch') AS ended_at_utc
FROM source_disagreement d
JOIN source s ON s.id = d.source_id
JOIN chain c ON c.id = s.chain_id;

-- Blocks that did not stand up to verification: kept, never followed. A chain with one that is not settled stands still.
--
-- refused_id      number of the refusal; `tracerd settle refusal` takes it
-- source          the node that served it, as in v_source
-- block_hash      hash of the block, hex; null where the node named none
-- reason          what is wrong with it
-- evidence        the bytes that show it, as far as there are any
-- at              when, seconds since 1970 by the daemon's wall clock
-- at_utc          the same as text
-- settled         1 if it was settled (v_settlement), else 0
CREATE VIEW v_refused_block AS
SELECT r.id AS refused_id, c.name AS chain, s.name AS source, r.height, nullif(lower(hex(r.hash)), '') AS block_hash,
    r.reason, r.evidence, r.at, strftime('%Y-%m-%dT%H:%M:%SZ', r.at, 'unixepoch') AS at_utc,
    EXISTS (SELECT 1 FROM settlement t WHERE t.refused_id = r.id) AS settled
FROM refused_block r
JOIN source s ON s.id = r.source_id
JOIN chain c ON c.id = r.chain_id;

-- Where a node showed another block than one that was final here: the chain halted and nothing was changed.
--
-- violation_id    grows with time
-- source          the node that showed it, as in v_source
-- fork_height     last height at which both have the same block; null: below all that is stored
-- final_height    what was final here then
-- our_hash        our first block that the node does not have, hex
-- their_hash      the node's block in its place, hex; its best block where its chain ends before
-- at              when, seconds since 1970 by the daemon's wall clock
-- at_utc          the same as text
-- settled         1 if an operator settled it (v_settlement), else 0: the chain stands still
CREATE VIEW v_finality_violation AS
SELECT f.id AS violation_id, c.name AS chain, s.name AS source, f.fork_height, f.final_height,
    lower(hex(f.ours)) AS our_hash, lower(hex(f.theirs)) AS their_hash, f.at, strftime('%Y-%m-%dT%H:%M:%SZ', f.at, 'unixepoch') AS at_utc,
    EXISTS (SELECT 1 FROM settlement t WHERE t.violation_id = f.id) AS settled
FROM finality_violation f
JOIN source s ON s.id = f.source_id
JOIN chain c ON c.id = f.chain_id;

-- How refused blocks and broken finality were settled, by whom, and why.
--
-- settlement_id   grows with time
-- refused_id      number of the refused block, as in v_refused_block; null: it is about finality
-- violation_id    number of the broken finality, as in v_finality_violation; null: it is about a refused block
-- how             other source (its block stood up), retry (the node was repaired), follow (final mark lowered to the fork), keep (the node was wrong)
-- actor           the person who settled it; of `other source` that source
-- reason          in the actor's words; of `other source` the block that stood up
-- at              when, seconds since 1970 by the daemon's wall clock
-- at_utc          the same as text
CREATE VIEW v_settlement AS
SELECT t.id AS settlement_id, c.name AS chain, t.refused_id, t.violation_id, t.how, t.actor, t.reason, t.at,
    strftime('%Y-%m-%dT%H:%M:%SZ', t.at, 'unixepoch') AS at_utc
FROM settlement t
LEFT JOIN refused_block r ON r.id = t.refused_id
LEFT JOIN finality_violation f ON f.id = t.violation_id
JOIN chain c ON c.id = coalesce(r.chain_id, f.chain_id);

-- Where following stands on each chain, and what the daemon last saw of its node.
--
-- caip2           CAIP-2 id of the chain
-- family          kind of chain: bitcoin, ethereum
-- genesis         hash of the first block as the node showed it, hex; null before first contact
-- tip_height      height of our newest canonical block; null if following has not begun
-- tip_hash        its hash, hex
-- tip_time        its time, seconds since 1970 (UTC)
-- tip_time_utc    the same as text
-- confirmed_height  at and below it blocks are confirmed; -1: none
-- final_height    at and below it blocks are final; -1: none
-- final_hash      hash of the block there; null: none
-- covered_from    first height that was read for the watches that are followed live (v_coverage has the late ones)
-- covered_to      last height that was read
-- covered_hash    hash of the last block that was read, hex
-- checked         how far the blocks read were checked at least: reported, header, whole (v_coverage has it by span)
-- anchor          who vouches for the block hashes: header-chain from genesis (or: checkpoint HEIGHT), K of N nodes, pinned (by the operator), or single-node; where nodes agree below the header chain's end: K of N nodes to HEIGHT, header-chain from ...
-- anchor_height   the anchor holds at and below it (of two, the one named last); above it, one node alone vouches
-- differs_from    first height at which another node shows another block than ours (v_disagreement); null: none does
-- node_height     height of the node's best block when last asked; null if it said none; not evidence
-- node_hash       its hash, hex
-- contacted_at    when the node last answered, seconds since 1970 by the daemon's wall clock; null: never
-- node_state      in step, following, behind, weaker branch (it has less work than ours), unreachable, idle, halted, refused; null: never contacted
-- node_message    more about that state
CREATE VIEW v_chain AS
SELECT c.name AS chain, c.caip2, c.family, nullif(lower(hex(c.genesis)), '') AS genesis,
    t.height AS tip_height, nullif(lower(hex(t.hash)), '') AS tip_hash, t.time AS tip_time,
    strftime('%Y-%m-%dT%H:%M:%SZ', t.time, 'unixepoch') AS tip_time_utc,
    f.confirmed_height, f.final_height, nullif(lower(hex(fb.hash)), '') AS final_hash,
    g.from_height AS covered_from, g.to_height AS covered_to,
    nullif(lower(hex(v.end_hash)), '') AS covered_hash,
    CASE g.weakest WHEN 0 THEN 'reported' WHEN 1 THEN 'header' WHEN 2 THEN 'whole' END AS checked,
    CASE WHEN h.origin IS NOT NULL THEN
            CASE WHEN a.agree > 1 AND n.height >= 0
                THEN a.agree || ' of ' || a.nodes || ' nodes to ' || n.height || ', ' ELSE '' END
            || 'header-chain from ' || h.origin
        WHEN a.agree > 1 AND n.height >= 0 THEN a.agree || ' of ' || a.nodes || ' nodes'
        WHEN p.height IS NOT NULL THEN 'pinned' ELSE 'single-node' END AS anchor,
    CASE WHEN h.origin IS NOT NULL THEN t.height
        WHEN a.agree > 1 AND n.height >= 0 THEN max(n.height, coalesce(p.height, -1))
        ELSE coalesce(p.height, t.height) END AS anchor_height, x.height AS differs_from,
    s.node_height, nullif(lower(hex(s.node_hash)), '') AS node_hash, s.contacted_at, s.state AS node_state,
    s.message AS node_message
FROM chain c
LEFT JOIN follower f ON f.chain_id = c.id
LEFT JOIN block t ON t.id = f.tip_id
LEFT JOIN block fb ON fb.id = f.final_id
LEFT JOIN (
    SELECT chain_id, min(from_height) AS from_height, max(to_height) AS to_height,
        min(CASE checked WHEN 'whole' THEN 2 WHEN 'header' THEN 1 ELSE 0 END) AS weakest
    FROM coverage WHERE watch_set = 'all' GROUP BY chain_id
) g ON g.chain_id = c.id
LEFT JOIN coverage v ON v.chain_id = c.id AND v.watch_set = 'all' AND v.to_height = g.to_height
LEFT JOIN follower_status s ON s.chain_id = c.id
LEFT JOIN header_anchor h ON h.id = (SELECT max(id) FROM header_anchor WHERE chain_id = c.id)
LEFT JOIN agreement a ON a.id = (SELECT max(id) FROM agreement WHERE chain_id = c.id)
LEFT JOIN (
    SELECT chain, coalesce(vouched_height, -1) AS height,
        row_number() OVER (PARTITION BY chain ORDER BY coalesce(vouched_height, -1) DESC) AS place
    FROM v_source WHERE kind = 'node' AND active
) n ON n.chain = c.name AND n.place = a.agree
LEFT JOIN (
    SELECT chain, max(vouched_height) AS height FROM v_source WHERE kind = 'pin' AND active GROUP BY chain
) p ON p.chain = c.name
LEFT JOIN (SELECT chain, min(differs_from) AS height FROM v_source WHERE active GROUP BY chain) x ON x.chain = c.name;

-- Which heights were read for which watches: one row per span of blocks that were checked alike.
--
-- watch_set       all: the watches followed live, each from its birth; late:N: of back-fill N; history:ADDRESS: an import
-- from_height     first height of the span
-- to_height       last height; one less than the first where nothing was read yet
-- end_hash        hash of the last block, hex
-- checked         reported: as the node told; header: what was found is checked, what is left out is not; whole: all of it
CREATE VIEW v_coverage AS
SELECT c.name AS chain, v.watch_set, v.from_height, v.to_height, lower(hex(v.end_hash)) AS end_hash, v.checked
FROM coverage v JOIN chain c ON c.id = v.chain_id;
-- Up to which block the headers of a chain were fetched and verified once, when following began.
--
-- height          height of that block
-- block_hash      its hash, hex
-- origin          from where on: genesis, or checkpoint HEIGHT
-- work            hashes expected for the chain from there to here, decimal text
CREATE VIEW v_header_anchor AS
SELECT c.name AS chain, h.height, lower(hex(h.hash)) AS block_hash, h.origin, h.work
FROM header_anchor h JOIN chain c ON c.id = h.chain_id;

-- What could not be observed on each chain: movements of that kind may be missing from every other view.
--
-- from_height     first height at which that was noticed
-- reason          what it is, in words
-- asset           the listed token that an unreadable log is of; null: it is not about one listed token
-- counted         1 if amounts that count may be missing, so that conservation is not shown; 0 if none can be
CREATE VIEW v_unobserved AS
SELECT c.name AS chain, u.from_height, u.reason, a.caip19 AS asset,
    a.id IS NOT NULL OR NOT (
        u.reason LIKE 'log % of 0x%' OR u.reason LIKE 'header not kept%' OR u.reason LIKE 'balances unchecked%'
        OR u.reason LIKE 'token 0x%'
    ) AS counted
FROM unobserved u
JOIN chain c ON c.id = u.chain_id
LEFT JOIN asset a ON a.chain_id = u.chain_id AND a.kind = 'listed'
    AND u.reason LIKE 'log % of ' || substr(a.caip19, instr(a.caip19, '/erc20:') + 7) || ':%';

-- Balances after blocks, held against what was observed: balance = balance_before + observed + unobserved, exactly.
--
-- check_id        number that claims name (balance_check:ID)
-- holder_id       number of the holder in v_holder
-- since           height of the block that balance_before is of; null: the first check, there is nothing to compare with
-- balance         base units after the block, as text
-- balance_before  base units after block `since`, as text
-- observed        base units that stored movements brought since, as text; negative: took
-- unobserved      base units that came (or, negative, went) since without any movement that was seen, as text
-- nonce           of the account after the block, where its ether was proven; else null
-- nonce_before    the same after block `since`
-- sent            transactions that the account was seen to send since
-- lane            PROVEN: the balance is proven against the state root of the block; REPORTED: a node said it
-- confirms        all: every movement since is proven, and they add up to the proven change; internal: so do they, and all
--                 but internal transfers are proven, which are confirmed by balance as a sum; empty: neither
-- later           1 if it was asked when the block was the tip already (checkpoint), 0 while it was connected
-- proof           the bytes that prove it, hex, as `tracer.proof.balances` packs them; null where a node said it
CREATE VIEW v_balance_check AS
SELECT k.id AS check_id, c.name AS chain, b.height, lower(hex(b.hash)) AS block_hash, b.id AS block_id,
    coalesce(h.address, lower(hex(h.key))) AS address, k.holder_id, a.caip19 AS asset, a.symbol, a.decimals,
    k.since, k.balance, k.before AS balance_before, k.observed, k.unobserved, k.nonce, k.nonce_before, k.sent,
    CASE k.lane WHEN 0 THEN 'PROVEN' ELSE 'REPORTED' END AS lane, k.confirms, k.later,
    nullif(lower(hex(k.proof)), '') AS proof
FROM balance_check k
JOIN block b ON b.id = k.block_id AND b.canonical
JOIN chain c ON c.id = b.chain_id
JOIN holder h ON h.id = k.holder_id
JOIN asset a ON a.id = k.asset_id;

-- Value that moved and that nobody saw move, of every case's watched holders; empty if all is well.
--
-- check_id        number of the check in v_balance_check
-- holder_id       number of the holder in v_holder
-- since           it moved after this height, at the latest in the block of the row
-- unobserved      base units, as text; negative: gone
-- lane            PROVEN: by proven balances; REPORTED: by what a node said
CREATE VIEW v_unobserved_value AS
SELECT k.ref AS case_ref, w.ref AS watch_ref, w.role, v.check_id, v.chain, v.since, v.height, v.block_hash, v.address,
    v.holder_id, v.asset, v.symbol, v.decimals, v.unobserved, v.lane
FROM v_balance_check v
JOIN watch w ON w.holder_id = v.holder_id
JOIN cases k ON k.id = w.case_id
WHERE v.unobserved != '0';

-- Spans of blocks whose hits alone were verified, which a check of a held balance closes, or leaves open, for one holder
-- and asset; empty if all blocks were verified whole.
--
-- holder_id       number of the holder in v_holder
-- from_height     first height of the span
-- to_height       last height of the span
-- blocks          how many blocks in it were read by their hits only
-- closed          1: proofs at both ends show that what was observed explains the net change of the balance; 0: not shown
-- reason          why it is not closed; empty if it is
CREATE VIEW v_span_closing AS
SELECT c.name AS chain, coalesce(h.address, lower(hex(h.key))) AS address, s.holder_id, a.caip19 AS asset, a.symbol,
    s.from_height, s.to_height, s.blocks, s.closed, s.reason, lower(hex(b.hash)) AS block_hash
FROM span_closing s
JOIN block b ON b.id = s.block_id AND b.canonical
JOIN chain c ON c.id = b.chain_id
JOIN holder h ON h.id = s.holder_id
JOIN asset a ON a.id = s.asset_id;

-- The confirmation and finality policies under which verdicts were given. A leg whose asset and planned amount reach a
-- tier is judged by the chain's own rule and by the tier's, whichever asks for more; null: nothing more.
--
-- policy_id       number that v_verdict_all names
-- confirmed       confirmations (1 = in the tip) or a tag of the node
-- final           the same, for finality; the chain's own final blocks are never undone
-- tiers           JSON list of {asset, min_amount, confirmed, final}: what legs need beyond that, from an amount on
CREATE VIEW v_policy AS
SELECT p.id AS policy_id, c.name AS chain, p.confirmed, p.final, p.tiers
FROM policy p JOIN chain c ON c.id = p.chain_id;

-- The starts of the daemon: which program wrote, with which configuration.
--
-- run_id          grows with time
-- started_at      Unix seconds
-- started_at_utc  the same as text
-- version         version of the program
-- config_sha256   SHA-256 of what answers depend on in the configuration (the chain tables without logins), hex
CREATE VIEW v_daemon_run AS
SELECT id AS run_id, started_at, strftime('%Y-%m-%dT%H:%M:%SZ', started_at, 'unixepoch') AS started_at_utc, version,
    lower(hex(config_sha256)) AS config_sha256
FROM daemon_run;

-- The imports of case files: the first declares a case, later ones add to it; nothing that was imported changes.
--
-- import_id       grows with time
-- imported_at_utc  when, by the daemon's wall clock
-- source_sha256   SHA-256 of the file, hex
CREATE VIEW v_case_import AS
SELECT i.id AS import_id, k.ref AS case_ref, strftime('%Y-%m-%dT%H:%M:%SZ', i.imported_at, 'unixepoch') AS imported_at_utc,
    lower(hex(i.source_sha256)) AS source_sha256
FROM case_import i JOIN cases k ON k.id = i.case_id;

-- The cases, one row per chain on which a case seized something.
--
-- title           what the case is called
-- preset          the policy preset it follows
-- preset_sha256   SHA-256 of that preset's file, hex; null: it was imported before presets were kept, and nothing oversees it
-- source_sha256   SHA-256 of the case file that was imported last, hex
-- seizure_height  B0: balances after this block are what was seized; null: nothing on any chain
-- opened          1 if the chain has reached B0 and the case counts, else 0
-- backfill_id     the back-fill that read its past (v_backfill); null: it was followed from the start
CREATE VIEW v_case AS
SELECT k.ref AS case_ref, k.title, k.preset,
    (SELECT lower(hex(sha256)) FROM preset WHERE id = k.preset_id) AS preset_sha256,
    (SELECT lower(hex(source_sha256)) FROM case_import WHERE case_id = k.id ORDER BY id DESC LIMIT 1) AS source_sha256,
    c.name AS chain, s.height AS seizure_height,
    coalesce(t.height >= s.height AND (s.late_id IS NULL OR x.published_height IS NOT NULL), 0) AS opened,
    s.late_id AS backfill_id
FROM cases k
LEFT JOIN seizure s ON s.case_id = k.id
LEFT JOIN chain c ON c.id = s.chain_id
LEFT JOIN follower f ON f.chain_id = s.chain_id
LEFT JOIN block t ON t.id = f.tip_id
LEFT JOIN backfill x ON x.id = s.late_id;

-- What is read again for cases that named watches after their blocks had been followed; empty if none did.
--
-- backfill_id     grows with time
-- from_height     first height that is read for the late watches
-- done_height     last height that was read; one less than the first where nothing was yet
-- done_hash       hash of that block, hex; null: not begun
-- to_go           blocks left to the tip
-- state           waiting, reading, published; continued: a reorg brought blocks back, and a later one reads them
-- published_at_utc  when it was published, by the daemon's wall clock; null: it is not
-- published_height  height of the tip at which it was published
-- published_hash  hash of that tip, hex
CREATE VIEW v_backfill AS
SELECT x.id AS backfill_id, k.ref AS case_ref, c.name AS chain, x.from_height, x.done_height,
    lower(hex(x.done_hash)) AS done_hash,
    CASE WHEN x.published_height IS NULL THEN t.height - x.done_height ELSE 0 END AS to_go,
    CASE WHEN x.published_height IS NULL THEN CASE WHEN x.done_hash IS NULL THEN 'waiting' ELSE 'reading' END
        WHEN EXISTS (SELECT 1 FROM coverage v WHERE v.chain_id = x.chain_id AND v.watch_set = 'late:' || x.id)
        THEN 'published' ELSE 'continued' END AS state,
    strftime('%Y-%m-%dT%H:%M:%SZ', x.published_at, 'unixepoch') AS published_at_utc,
    x.published_height, lower(hex(x.published_hash)) AS published_hash
FROM backfill x
JOIN cases k ON k.id = x.case_id
JOIN chain c ON c.id = x.chain_id
LEFT JOIN follower f ON f.chain_id = x.chain_id
LEFT JOIN block t ON t.id = f.tip_id;

-- What a back-fill replaced: postings, holdings, ledger rows, traces from before; empty if no case grew by late watches.
--
-- superseded_id   number of the row
-- backfill_id     the back-fill that replaced it (v_backfill)
-- kind            posting, holding, ledger, label, edge, reach
-- body            the row as JSON, with the numbers that other rows of the store had then
CREATE VIEW v_superseded AS
SELECT s.id AS superseded_id, s.backfill_id, k.ref AS case_ref, c.name AS chain, s.kind, s.body
FROM superseded s
JOIN backfill x ON x.id = s.backfill_id
JOIN cases k ON k.id = x.case_id
JOIN chain c ON c.id = x.chain_id;

-- Everybody who owned value in a stored movement, or is watched.
--
-- holder_id       number that v_movement.source_id and target_id name
-- holder          script pubkey or 20-byte account, hex
CREATE VIEW v_holder AS
SELECT h.id AS holder_id, c.name AS chain, coalesce(h.address, lower(hex(h.key))) AS address,
    lower(hex(h.key)) AS holder
FROM holder h JOIN chain c ON c.id = h.chain_id;

-- Which addresses a case watches, in which role.
--
-- holder_id       number of the holder in v_holder
-- holder          script pubkey or 20-byte account, hex
-- institution     whose it is said to be; null if the case file does not say
-- birth           height from which it is watched
-- seized_coins    how many coins of it are seized, where the case file lists coins; null: all
-- storage         hot, cold, multisig; null: not said
-- backfill_id     the back-fill that reads its past (v_backfill); null: it was followed from its birth on
CREATE VIEW v_watch AS
SELECT k.ref AS case_ref, w.ref AS watch_ref, w.role, c.name AS chain,
    coalesce(h.address, lower(hex(h.key))) AS address, w.holder_id, lower(hex(h.key)) AS holder,
    i.name AS institution, w.birth, length(w.outpoints) / 36 AS seized_coins, w.storage, w.late_id AS backfill_id
FROM watch w
JOIN cases k ON k.id = w.case_id
JOIN holder h ON h.id = w.holder_id
JOIN chain c ON c.id = h.chain_id
LEFT JOIN institution i ON i.id = w.institution_id;

-- Who attested that a watched address is theirs, on which document.
--
-- attestation_id  number that claims name (attestation:ID)
-- institution     who says so
-- document        title of the document
-- document_sha256  its SHA-256, hex
-- valid_from      first instant of validity, seconds since 1970 (UTC)
-- valid_to        last instant of validity; null: open
CREATE VIEW v_attestation AS
SELECT a.id AS attestation_id, k.ref AS case_ref, w.ref AS watch_ref, coalesce(h.address, lower(hex(h.key))) AS address,
    i.name AS institution, d.title AS document, lower(hex(d.sha256)) AS document_sha256, a.valid_from, a.valid_to
FROM attestation a
JOIN watch w ON w.id = a.watch_id
JOIN cases k ON k.id = w.case_id
JOIN holder h ON h.id = w.holder_id
JOIN institution i ON i.id = a.institution_id
JOIN document d ON d.id = a.document_id;

-- Every block that was ever connected, those that a reorg took away included.
--
-- parent_hash     hash of its parent, hex
-- header          the block's header, hex; null where the block has no hits
CREATE VIEW v_block_all AS
SELECT b.id AS block_id, c.name AS chain, b.height, lower(hex(b.hash)) AS block_hash,
    lower(hex(b.parent)) AS parent_hash, b.time, strftime('%Y-%m-%dT%H:%M:%SZ', b.time, 'unixepoch') AS time_utc,
    b.canonical,
    CASE WHEN b.canonical THEN t.height - b.height + 1 ELSE 0 END AS confirmations,
    b.canonical AND b.height <= f.confirmed_height AS confirmed,
    b.canonical AND b.height <= f.final_height AS final,
    nullif(lower(hex(b.header)), '') AS header,
    CASE b.checked WHEN 2 THEN 'whole' WHEN 1 THEN 'header' ELSE 'reported' END AS checked
FROM block b
JOIN chain c ON c.id = b.chain_id
JOIN follower f ON f.chain_id = b.chain_id
JOIN block t ON t.id = f.tip_id;

-- The blocks of the canonical chain.
--
-- parent_hash     hash of its parent, hex
-- header          the block's header, hex; null where the block has no hits
CREATE VIEW v_block AS
SELECT * FROM v_block_all WHERE canonical;

-- What tokens that are not listed call themselves: words of strangers, asked once, cleaned and cut; empty if none was met.
--
-- what            name, or symbol
-- shown           the answer without control, bidirectional and invisible characters, cut; empty: nothing readable came
-- size            bytes of the answer as it came; null: the contract did not answer within its bounds
-- sha256          SHA-256 of those bytes, hex
-- height          height of the block after which it was asked
-- block_hash      hash of that block, hex
CREATE VIEW v_token_text AS
SELECT c.name AS chain, a.caip19 AS asset, a.kind AS asset_class, x.what, x.shown, x.size,
    nullif(lower(hex(x.digest)), '') AS sha256, b.height, lower(hex(b.hash)) AS block_hash
FROM token_text x
JOIN asset a ON a.id = x.asset_id
JOIN chain c ON c.id = a.chain_id
JOIN block b ON b.id = x.block_id;

-- Every movement that was ever stored, those that a reorg took away included.
--
-- tx_position     place of the transaction in its block, from 0; null where no transaction carries the movement
-- kind            in (a coin is spent), out (one is made), fee, trace (account value), log (token), withdrawal, reward
-- idx             vin or vout index; 0 for a fee; the frame's order in its transaction; the log's index in its block
-- source          who is debited: address, else hex; null: nobody (out, withdrawal, reward; fee on UTXO chains)
-- source_id       number of that holder in v_holder; has an index
-- target          who is credited; null: nobody (in, fee)
-- target_id       number of that holder in v_holder; has an index
-- spends          for kind in: txid:index of the coin that is spent; else null
-- spends_id       movement that made that coin, null if that is not stored; has an index
CREATE VIEW v_movement_all AS
SELECT m.id AS movement_id, c.name AS chain, b.height, lower(hex(b.hash)) AS block_hash, b.time,
    strftime('%Y-%m-%dT%H:%M:%SZ', b.time, 'unixepoch') AS time_utc,
    nullif(lower(hex(t.txid)), '') AS txid, t.txid AS txid_bytes, t.position AS tx_position,
    CASE m.kind WHEN 0 THEN 'in' WHEN 1 THEN 'out' WHEN 2 THEN 'fee' WHEN 3 THEN 'trace' WHEN 4 THEN 'log'
        WHEN 5 THEN 'withdrawal' WHEN 6 THEN 'reward' END AS kind,
    m.idx, a.caip19 AS asset, a.symbol, a.decimals, a.kind AS asset_class, nullif(x.shown, '') AS calls_itself,
    m.amount, printf('%03d', length(m.amount)) || m.amount AS amount_key,
    CASE WHEN sh.id IS NOT NULL THEN coalesce(sh.address, lower(hex(sh.key))) END AS source, m.source_id,
    CASE WHEN th.id IS NOT NULL THEN coalesce(th.address, lower(hex(th.key))) END AS target, m.target_id,
    CASE m.kind WHEN 1 THEN lower(hex(t.txid)) || ':' || m.idx END AS outpoint,
    coalesce(lower(hex(ot.txid)) || ':' || o.idx, lower(hex(m.spent_txid)) || ':' || m.spent_idx) AS spends, m.spends_id,
    b.canonical,
    CASE WHEN b.canonical THEN tip.height - b.height + 1 ELSE 0 END AS confirmations,
    b.canonical AND b.height <= f.confirmed_height AS confirmed,
    b.canonical AND b.height <= f.final_height AS final,
    CASE m.lane WHEN 0 THEN 'PROVEN' WHEN 1 THEN 'REPORTED' END AS lane
FROM movement m
JOIN block b ON b.id = m.block_id
JOIN chain c ON c.id = b.chain_id
JOIN asset a ON a.id = m.asset_id
JOIN follower f ON f.chain_id = b.chain_id
JOIN block tip ON tip.id = f.tip_id
LEFT JOIN tx t ON t.id = m.tx_id AND t.block_id = m.block_id
LEFT JOIN token_text x ON x.asset_id = m.asset_id AND x.what = 'symbol'
LEFT JOIN holder sh ON sh.id = m.source_id
LEFT JOIN holder th ON th.id = m.target_id
LEFT JOIN movement o ON o.id = m.spends_id
LEFT JOIN tx ot ON ot.id = o.tx_id;

-- Value that moved, on the canonical chain: of holders that are watched or followed, and in transactions that spend traced coins.
--
-- tx_position     place of the transaction in its block, from 0; null where no transaction carries the movement
-- kind            in (a coin is spent), out (one is made), fee, trace (account value), log (token), withdrawal, reward
-- idx             vin or vout index; 0 for a fee; the frame's order in its transaction; the log's index in its block
-- source          who is debited: address, else hex; null: nobody (out, withdrawal, reward; fee on UTXO chains)
-- source_id       number of that holder in v_holder; has an index
-- target          who is credited; null: nobody (in, fee)
-- target_id       number of that holder in v_holder; has an index
-- spends          for kind in: txid:index of the coin that is spent; else null
-- spends_id       movement that made that coin, null if that is not stored; has an index
CREATE VIEW v_movement AS
SELECT * FROM v_movement_all WHERE canonical;

-- Movements joined to the watches of every case, canonical or not: one row per movement, watch and direction.
--
-- direction       in: the watched holder is credited; out: it is debited, on UTXO chains by the whole coin, change included
-- tx_position     place of the transaction in its block, from 0; null where no transaction carries the movement
-- kind            as in v_movement
-- idx             as in v_movement
-- source          who is debited, as in v_movement
-- source_id       number of that holder in v_holder
-- target          who is credited, as in v_movement
-- target_id       number of that holder in v_holder
-- spends          for kind in: txid:index of the coin that is spent; else null
-- spends_id       movement that made that coin, null if that is not stored; has an index
CREATE VIEW v_transfer_all AS
SELECT k.ref AS case_ref, w.role, w.ref AS watch_ref, 'in' AS direction, m.*
FROM watch w JOIN cases k ON k.id = w.case_id JOIN v_movement_all m ON m.target_id = w.holder_id
UNION ALL
SELECT k.ref, w.role, w.ref, 'out', m.*
FROM watch w JOIN cases k ON k.id = w.case_id JOIN v_movement_all m ON m.source_id = w.holder_id;

-- What moved in and out of each case's watched addresses, on the canonical chain.
--
-- direction       in: the watched holder is credited; out: it is debited, on UTXO chains by the whole coin, change included
-- tx_position     place of the transaction in its block, from 0; null where no transaction carries the movement
-- kind            as in v_movement
-- idx             as in v_movement
-- source          who is debited, as in v_movement
-- source_id       number of that holder in v_holder
-- target          who is credited, as in v_movement
-- target_id       number of that holder in v_holder
-- spends          for kind in: txid:index of the coin that is spent; else null
-- spends_id       movement that made that coin, null if that is not stored; has an index
CREATE VIEW v_transfer AS
SELECT * FROM v_transfer_all WHERE canonical;

-- Transfers that a reorg took off the chain: kept as evidence, counted nowhere.
--
-- direction       in: the watched holder is credited; out: it is debited, on UTXO chains by the whole coin, change included
-- tx_position     place of the transaction in its block, from 0; null where no transaction carries the movement
-- kind            as in v_movement
-- idx             as in v_movement
-- source          who is debited, as in v_movement
-- source_id       number of that holder in v_holder
-- target          who is credited, as in v_movement
-- target_id       number of that holder in v_holder
-- spends          for kind in: txid:index of the coin that is spent; else null
-- spends_id       movement that made that coin, null if that is not stored; has an index
CREATE VIEW v_transfer_orphaned AS
SELECT * FROM v_transfer_all WHERE NOT canonical;

-- The postings of every case's conservation ledger, those that a reorg took away included.
--
-- posting_id      number of the posting
-- place           seized, credit, internal, change, delivered, refund, fee, unexplained
-- reason          which kind of credit, delivery or loss
-- address         who holds or received the value; null: nobody (fees), or it cannot be told apart
CREATE VIEW v_posting_all AS
SELECT e.id AS posting_id, k.ref AS case_ref, c.name AS chain, a.caip19 AS asset, a.symbol, a.decimals,
    e.place, e.reason, e.amount, printf('%03d', length(e.amount)) || e.amount AS amount_key,
    l.ref AS leg_ref, CASE WHEN h.id IS NOT NULL THEN coalesce(h.address, lower(hex(h.key))) END AS address,
    nullif(lower(hex(t.txid)), '') AS txid, t.txid AS txid_bytes,
    CASE m.kind WHEN 1 THEN lower(hex(mt.txid)) || ':' || m.idx END AS outpoint, e.movement_id,
    b.height, lower(hex(b.hash)) AS block_hash, b.time, strftime('%Y-%m-%dT%H:%M:%SZ', b.time, 'unixepoch') AS time_utc,
    b.canonical,
    CASE WHEN b.canonical THEN tip.height - b.height + 1 ELSE 0 END AS confirmations,
    b.canonical AND b.height <= f.confirmed_height AS confirmed,
    b.canonical AND b.height <= f.final_height AS final
FROM entry e
JOIN cases k ON k.id = e.case_id
JOIN block b ON b.id = e.block_id
JOIN chain c ON c.id = b.chain_id
JOIN asset a ON a.id = e.asset_id
JOIN follower f ON f.chain_id = b.chain_id
JOIN block tip ON tip.id = f.tip_id
LEFT JOIN leg l ON l.id = e.leg_id
LEFT JOIN holder h ON h.id = e.holder_id
LEFT JOIN tx t ON t.id = e.tx_id
LEFT JOIN movement m ON m.id = e.movement_id
LEFT JOIN tx mt ON mt.id = m.tx_id;

-- The postings of every case's conservation ledger: where each base unit came from, and where it went.
--
-- posting_id      number of the posting
-- place           seized, credit, internal, change, delivered, refund, fee, unexplained
-- reason          which kind of credit, delivery or loss
-- address         who holds or received the value; null: nobody (fees), or it cannot be told apart
CREATE VIEW v_posting AS
SELECT * FROM v_posting_all WHERE canonical;

-- What arrived for each planned leg, one row per transfer that served it; two where a part of it is excess.
--
-- place           internal, credit, refund or delivered: where the ledger put it
-- reason          the leg's kind; with "excess" where more came than was planned
-- amount          the part of the transfer that served this leg, base units, as text
CREATE VIEW v_leg_arrival AS
SELECT case_ref, leg_ref, chain, asset, symbol, decimals, amount, amount_key, place, reason, address, txid, txid_bytes,
    outpoint, movement_id, height, block_hash, time, time_utc, confirmations, confirmed, final
FROM v_posting
WHERE leg_ref IS NOT NULL AND place NOT IN ('fee', 'unexplained');

-- Every verdict that was ever given: also those that a later one replaced, or whose block a reorg took away.
--
-- verdict_id      number of the verdict; later ones are larger
-- leg_ref         the leg that was judged; null: the conservation of the asset
-- height          height of the tip when it was judged
-- block_hash      hash of the tip when it was judged, hex
-- policy_id       the policy it was given under (v_policy)
-- rule            the rule that was applied: LEG-5 (a leg as planned), RECON-1 (nothing unexplained)
-- rule_version    version of that rule
-- preset_sha256   SHA-256 of the case's preset, hex; null: none
-- current         1 if it is the last one on its subject on the canonical chain, else 0
CREATE VIEW v_verdict_all AS
SELECT v.id AS verdict_id, k.ref AS case_ref, l.ref AS leg_ref, c.name AS chain,
    a.caip19 AS asset, a.symbol, a.decimals, v.verdict, v.reason, v.lane, v.claims,
    b.height, lower(hex(b.hash)) AS block_hash, b.time,
    strftime('%Y-%m-%dT%H:%M:%SZ', b.time, 'unixepoch') AS time_utc, v.policy_id, v.rule, v.rule_version,
    (SELECT lower(hex(sha256)) FROM preset WHERE id = k.preset_id) AS preset_sha256, b.canonical,
    b.canonical AND NOT EXISTS (
        SELECT 1 FROM verdict n JOIN block nb ON nb.id = n.block_id AND nb.canonical
        WHERE n.case_id = v.case_id AND n.leg_id IS v.leg_id AND n.asset_id = v.asset_id
            AND (n.block_id, n.id) > (v.block_id, v.id)
    ) AS current
FROM verdict v
JOIN cases k ON k.id = v.case_id
JOIN block b ON b.id = v.block_id
JOIN chain c ON c.id = b.chain_id
JOIN asset a ON a.id = v.asset_id
LEFT JOIN leg l ON l.id = v.leg_id;

-- The verdicts that stand: the last one on each subject on the canonical chain.
--
-- verdict_id      number of the verdict; later ones are larger
-- leg_ref         the leg that was judged; null: the conservation of the asset
-- height          height of the tip when it was judged
-- block_hash      hash of the tip when it was judged, hex
-- policy_id       the policy it was given under (v_policy)
-- rule            the rule that was applied: LEG-5 (a leg as planned), RECON-1 (nothing unexplained)
-- rule_version    version of that rule
-- preset_sha256   SHA-256 of the case's preset, hex; null: none
-- current         1
CREATE VIEW v_verdict AS
SELECT * FROM v_verdict_all WHERE current;

-- The planned legs, what arrived for each, and the verdict that stands.
--
-- leg_number      number of the leg; within a case in the order of the case file
-- kind            SECURE, TEST, RECEIVE, CONSOLIDATE, TRANSFER, DEPOSIT, REFUND, RETURN, FORK_CLAIM, DESTROY, GAS
-- planned         base units that are to arrive, as text
-- arrived         base units that arrived so far, as text; exact at any size
-- arrivals        number of rows in v_leg_arrival
-- tolerance       base units by which it may miss the plan, as text
-- max_fee         what its transactions may cost, base units of the chain's native asset, as text
-- fees            what they cost so far, the same unit; a fee above max_fee counts as unexplained
-- not_before      first instant at which it may arrive, seconds since 1970 (UTC); null: open
-- deadline        last instant at which it may arrive; null: open
-- needs_test      1 if a confirmed test transfer to the same script has to come first
-- planned_by      the leg record that planned it (v_record_all); null: the case file did
-- sources         watches that may pay, joined by commas; null: somebody outside the case
-- target          watch that is to receive
-- target_address  its address
-- judged_height   height of the tip when it was judged; null: not judged yet
-- judged_hash     hash of that tip, hex
-- policy_id       the policy it was judged under (v_policy); null: not judged yet
CREATE VIEW v_leg AS
SELECT k.ref AS case_ref, l.ref AS leg_ref, l.id AS leg_number, l.kind, c.name AS chain,
    a.caip19 AS asset, a.symbol, a.decimals, l.amount AS planned,
    (
        SELECT coalesce(nullif(ltrim(
            printf('%d%012d%012d%012d%012d%012d%012d', s6, d5, d4, d3, d2, d1, d0), '0'), ''), '0')
        FROM (SELECT d0, d1, d2, d3, d4, s5 % 1000000000000 AS d5, s6 + s5 / 1000000000000 AS s6
        FROM (SELECT d0, d1, d2, d3, s4 % 1000000000000 AS d4, s5 + s4 / 1000000000000 AS s5, s6
        FROM (SELECT d0, d1, d2, s3 % 1000000000000 AS d3, s4 + s3 / 1000000000000 AS s4, s5, s6
        FROM (SELECT d0, d1, s2 % 1000000000000 AS d2, s3 + s2 / 1000000000000 AS s3, s4, s5, s6
        FROM (SELECT d0, s1 % 1000000000000 AS d1, s2 + s1 / 1000000000000 AS s2, s3, s4, s5, s6
        FROM (SELECT s0 % 1000000000000 AS d0, s1 + s0 / 1000000000000 AS s1, s2, s3, s4, s5, s6
        FROM (
            SELECT sum(CAST(substr(d, 73, 12) AS INTEGER)) AS s0, sum(CAST(substr(d, 61, 12) AS INTEGER)) AS s1,
                sum(CAST(substr(d, 49, 12) AS INTEGER)) AS s2, sum(CAST(substr(d, 37, 12) AS INTEGER)) AS s3,
                sum(CAST(substr(d, 25, 12) AS INTEGER)) AS s4, sum(CAST(substr(d, 13, 12) AS INTEGER)) AS s5,
                sum(CAST(substr(d, 1, 12) AS INTEGER)) AS s6
            FROM (
                SELECT substr(printf('%084d', 0) || e.amount, -84) AS d
                FROM entry e JOIN block eb ON eb.id = e.block_id AND eb.canonical
                WHERE e.leg_id = l.id AND e.place NOT IN ('fee', 'unexplained')
            )
        )))))))
    ) AS arrived,
    (
        SELECT count(*) FROM entry e JOIN block eb ON eb.id = e.block_id AND eb.canonical
        WHERE e.leg_id = l.id AND e.place NOT IN ('fee', 'unexplained')
    ) AS arrivals,
    l.tolerance, l.max_fee,
    (
        SELECT coalesce(nullif(ltrim(
            printf('%d%012d%012d%012d%012d%012d%012d', s6, d5, d4, d3, d2, d1, d0), '0'), ''), '0')
        FROM (SELECT d0, d1, d2, d3, d4, s5 % 1000000000000 AS d5, s6 + s5 / 1000000000000 AS s6
        FROM (SELECT d0, d1, d2, d3, s4 % 1000000000000 AS d4, s5 + s4 / 1000000000000 AS s5, s6
        FROM (SELECT d0, d1, d2, s3 % 1000000000000 AS d3, s4 + s3 / 1000000000000 AS s4, s5, s6
        FROM (SELECT d0, d1, s2 % 1000000000000 AS d2, s3 + s2 / 1000000000000 AS s3, s4, s5, s6
        FROM (SELECT d0, s1 % 1000000000000 AS d1, s2 + s1 / 1000000000000 AS s2, s3, s4, s5, s6
        FROM (SELECT s0 % 1000000000000 AS d0, s1 + s0 / 1000000000000 AS s1, s2, s3, s4, s5, s6
        FROM (
            SELECT sum(CAST(substr(d, 73, 12) AS INTEGER)) AS s0, sum(CAST(substr(d, 61, 12) AS INTEGER)) AS s1,
                sum(CAST(substr(d, 49, 12) AS INTEGER)) AS s2, sum(CAST(substr(d, 37, 12) AS INTEGER)) AS s3,
                sum(CAST(substr(d, 25, 12) AS INTEGER)) AS s4, sum(CAST(substr(d, 13, 12) AS INTEGER)) AS s5,
                sum(CAST(substr(d, 1, 12) AS INTEGER)) AS s6
            FROM (
                SELECT substr(printf('%084d', 0) || e.amount, -84) AS d
                FROM entry e JOIN block eb ON eb.id = e.block_id AND eb.canonical
                WHERE e.leg_id = l.id AND e.place IN ('fee', 'unexplained')
            )
        )))))))
    ) AS fees,
    l.not_before, l.deadline, l.needs_test, pr.ref AS planned_by,
    (
        SELECT group_concat(ref, ', ') FROM (
            SELECT w.ref FROM leg_source s JOIN watch w ON w.id = s.watch_id WHERE s.leg_id = l.id ORDER BY w.id
        )
    ) AS sources,
    tw.ref AS target, coalesce(th.address, lower(hex(th.key))) AS target_address,
    coalesce(v.verdict, 'NOT_SHOWN') AS verdict,
    coalesce(v.reason, CASE WHEN l.late_id IS NOT NULL AND EXISTS (
        SELECT 1 FROM backfill x WHERE x.id = l.late_id AND x.published_height IS NULL
    ) THEN 'back-filling: its past is being read'
    ELSE 'not judged: the chain has not reached the height of the seizure' END) AS reason,
    coalesce(v.lane, 'REPORTED') AS lane, coalesce(v.claims, '[]') AS claims,
    vb.height AS judged_height, nullif(lower(hex(vb.hash)), '') AS judged_hash, v.policy_id
FROM leg l
JOIN cases k ON k.id = l.case_id
JOIN asset a ON a.id = l.asset_id
JOIN chain c ON c.id = a.chain_id
JOIN watch tw ON tw.id = l.target_id
JOIN holder th ON th.id = tw.holder_id
LEFT JOIN record pr ON pr.id = l.record_id
LEFT JOIN verdict v ON v.id = (
    SELECT n.id FROM verdict n JOIN block nb ON nb.id = n.block_id AND nb.canonical
    WHERE n.case_id = l.case_id AND n.leg_id = l.id AND n.asset_id = l.asset_id
    ORDER BY n.block_id DESC, n.id DESC LIMIT 1
)
LEFT JOIN block vb ON vb.id = v.block_id;

-- The conservation equation of each case and asset after every block that touched it.
--
-- seized          base units there at B0, as text. seized + credits = held + delivered + fees + unexplained, exactly
-- credits         base units that came in since, as text
-- held            base units that seized, authority and agency holders hold for the case, as text
-- delivered       base units that left by matched deposit, return and destroy legs, net of refunds, as text
-- fees            base units of fees that matched legs allow, as text
-- unexplained     base units that no leg explains, as text; 0: nothing leaked
CREATE VIEW v_ledger AS
SELECT k.ref AS case_ref, c.name AS chain, a.caip19 AS asset, a.symbol, a.decimals,
    l.seized, l.credits, l.held, l.delivered, l.fees, l.unexplained,
    b.height, lower(hex(b.hash)) AS block_hash, b.time, strftime('%Y-%m-%dT%H:%M:%SZ', b.time, 'unixepoch') AS time_utc,
    tip.height - b.height + 1 AS confirmations, b.height <= f.confirmed_height AS confirmed,
    b.height <= f.final_height AS final, b.id AS block_id
FROM ledger l
JOIN block b ON b.id = l.block_id AND b.canonical
JOIN cases k ON k.id = l.case_id
JOIN asset a ON a.id = l.asset_id
JOIN chain c ON c.id = b.chain_id
JOIN follower f ON f.chain_id = b.chain_id
JOIN block tip ON tip.id = f.tip_id;

-- The conservation equation of each case and asset as it stands, with its verdict.
--
-- verdict         as judged from the postings; `tracer reconcile` also asks for confirmed = 1 and for v_unobserved
-- seized          base units there at B0, as text. seized + credits = held + delivered + fees + unexplained, exactly
-- credits         base units that came in since, as text
-- held            base units that seized, authority and agency holders hold for the case, as text
-- delivered       base units that left by matched deposit, return and destroy legs, net of refunds, as text
-- fees            base units of fees that matched legs allow, as text
-- unexplained     base units that no leg explains, as text; 0: nothing leaked
-- height          height of the last block that touched it
CREATE VIEW v_conservation AS
SELECT k.ref AS case_ref, c.name AS chain, a.caip19 AS asset, a.symbol, a.decimals,
    l.seized, l.credits, l.held, l.delivered, l.fees, l.unexplained,
    coalesce(v.verdict, 'NOT_SHOWN') AS verdict, coalesce(v.reason, 'not judged') AS reason,
    coalesce(v.lane, 'REPORTED') AS lane, coalesce(v.claims, '[]') AS claims,
    b.height, lower(hex(b.hash)) AS block_hash, b.time, strftime('%Y-%m-%dT%H:%M:%SZ', b.time, 'unixepoch') AS time_utc,
    tip.height - b.height + 1 AS confirmations, b.height <= f.confirmed_height AS confirmed,
    b.height <= f.final_height AS final
FROM seizure s
JOIN cases k ON k.id = s.case_id
JOIN chain c ON c.id = s.chain_id
JOIN follower f ON f.chain_id = s.chain_id
JOIN block tip ON tip.id = f.tip_id
JOIN asset a ON a.chain_id = s.chain_id
JOIN ledger l ON l.case_id = s.case_id AND l.asset_id = a.id AND l.block_id = (
    SELECT n.block_id FROM ledger n JOIN block nb ON nb.id = n.block_id AND nb.canonical
    WHERE n.case_id = s.case_id AND n.asset_id = a.id ORDER BY n.block_id DESC LIMIT 1
)
JOIN block b ON b.id = l.block_id
LEFT JOIN verdict v ON v.id = (
    SELECT n.id FROM verdict n JOIN block nb ON nb.id = n.block_id AND nb.canonical
    WHERE n.case_id = s.case_id AND n.leg_id IS NULL AND n.asset_id = a.id ORDER BY n.block_id DESC, n.id DESC LIMIT 1
);

-- What a case held at each address after every block that changed it.
--
-- holder_id       number of the holder in v_holder
-- amount_key      sorts as the amount does; null where the amount is negative
CREATE VIEW v_balance_history AS
SELECT k.ref AS case_ref, c.name AS chain, coalesce(h.address, lower(hex(h.key))) AS address, d.holder_id,
    a.caip19 AS asset, a.symbol, a.decimals, d.amount,
    CASE WHEN d.amount NOT LIKE '-%' THEN printf('%03d', length(d.amount)) || d.amount END AS amount_key,
    b.height, lower(hex(b.hash)) AS block_hash, b.time, strftime('%Y-%m-%dT%H:%M:%SZ', b.time, 'unixepoch') AS time_utc,
    b.id AS block_id
FROM held d
JOIN block b ON b.id = d.block_id AND b.canonical
JOIN cases k ON k.id = d.case_id
JOIN holder h ON h.id = d.holder_id
JOIN asset a ON a.id = d.asset_id
JOIN chain c ON c.id = b.chain_id;

-- What a case holds at each address now.
--
-- holder_id       number of the holder in v_holder
-- amount_key      sorts as the amount does; null where the amount is negative
-- height          height of the block that changed it last
CREATE VIEW v_balance AS
SELECT k.ref AS case_ref, c.name AS chain, coalesce(h.address, lower(hex(h.key))) AS address, d.holder_id,
    a.caip19 AS asset, a.symbol, a.decimals, d.amount,
    CASE WHEN d.amount NOT LIKE '-%' THEN printf('%03d', length(d.amount)) || d.amount END AS amount_key,
    b.height, lower(hex(b.hash)) AS block_hash, b.time, strftime('%Y-%m-%dT%H:%M:%SZ', b.time, 'unixepoch') AS time_utc
FROM held d
JOIN block b ON b.id = d.block_id AND b.canonical
JOIN cases k ON k.id = d.case_id
JOIN holder h ON h.id = d.holder_id
JOIN asset a ON a.id = d.asset_id
JOIN chain c ON c.id = b.chain_id
WHERE NOT EXISTS (
    SELECT 1 FROM held n JOIN block nb ON nb.id = n.block_id AND nb.canonical
    WHERE n.case_id = d.case_id AND n.holder_id = d.holder_id AND n.asset_id = d.asset_id AND n.block_id > d.block_id
);

-- What a case's traces begin with: its seized coins, and what its seized accounts held, in label order.
--
-- outpoint        txid:index of the coin; null: an account's balance
-- spent           1 if the coin has been spent, else 0; null: an account's balance
-- height          height of the block that made the coin, or after which the balance was held
-- movement_id     movement that made the coin; null: an account's balance
CREATE VIEW v_trace_seed AS
SELECT k.ref AS case_ref, c.name AS chain, s.ordinal AS label, lower(hex(t.txid)) || ':' || m.idx AS outpoint,
    coalesce(m.amount, s.amount) AS amount, a.caip19 AS asset, a.symbol, a.decimals,
    coalesce(h.address, lower(hex(h.key))) AS address,
    CASE WHEN m.id IS NOT NULL THEN EXISTS (
        SELECT 1 FROM movement i JOIN block ib ON ib.id = i.block_id WHERE i.spends_id = m.id AND ib.canonical
    ) END AS spent,
    b.height, lower(hex(b.hash)) AS block_hash, s.movement_id
FROM trace_label s
JOIN block sb ON sb.id = s.block_id AND sb.canonical
JOIN cases k ON k.id = s.case_id
LEFT JOIN movement m ON m.id = s.movement_id
JOIN block b ON b.id = coalesce(m.block_id, s.block_id)
JOIN chain c ON c.id = b.chain_id
JOIN asset a ON a.id = coalesce(m.asset_id, s.asset_id)
LEFT JOIN tx t ON t.id = m.tx_id
JOIN holder h ON h.id = coalesce(m.target_id, s.holder_id);

-- Seized value that went from one coin or account into another, or into a fee, by each method.
--
-- seq             fifo: order of the units from the front of the output; haircut: order of label and input
-- from_outpoint   txid:index of the coin that was spent; null: an account, or a coin that is not stored (clean units only)
-- from_address    who paid it
-- from_id         number of the movement that spends the coin; on account chains that of the payment, or after a swap
--                 that of what was given
-- to_outpoint     txid:index of the output; null: a fee, or an account
-- to_id           number of the output's, the fee's, or the payment's movement
-- txid            transaction that moved it
-- label           number of the seized coin; null: clean units (fifo only)
-- amount          base units of that label, as text
-- address         who received it; null: the fee
-- hop             transactions since custody, at the receiving end
CREATE VIEW v_trace_edge AS
SELECT k.ref AS case_ref, c.name AS chain, r.method, b.height, lower(hex(t.txid)) AS txid, t.txid AS txid_bytes, e.seq,
    lower(hex(ft.txid)) || ':' || o.idx AS from_outpoint,
    CASE WHEN fh.id IS NOT NULL THEN coalesce(fh.address, lower(hex(fh.key))) END AS from_address, e.from_id,
    CASE m.kind WHEN 1 THEN lower(hex(t.txid)) || ':' || m.idx END AS to_outpoint, e.to_id,
    e.ordinal AS label,
    (
        SELECT lower(hex(st.txid)) || ':' || sm.idx
        FROM trace_label s JOIN block sb ON sb.id = s.block_id AND sb.canonical AND sb.chain_id = b.chain_id
        LEFT JOIN movement sm ON sm.id = s.movement_id LEFT JOIN tx st ON st.id = sm.tx_id
        WHERE s.case_id = r.case_id AND s.ordinal = e.ordinal
    ) AS label_outpoint,
    e.amount, a.caip19 AS asset, a.symbol, a.decimals,
    CASE WHEN h.id IS NOT NULL THEN coalesce(h.address, lower(hex(h.key))) END AS address, tc.hop, tc.boundary
FROM trace_edge e
JOIN trace_run r ON r.id = e.run_id
JOIN cases k ON k.id = r.case_id
JOIN movement m ON m.id = e.to_id
JOIN block b ON b.id = m.block_id AND b.canonical
JOIN chain c ON c.id = b.chain_id
JOIN asset a ON a.id = m.asset_id
JOIN tx t ON t.id = m.tx_id
JOIN movement i ON i.id = e.from_id
LEFT JOIN movement o ON o.id = i.spends_id
LEFT JOIN tx ft ON ft.id = o.tx_id
LEFT JOIN holder h ON h.id = m.target_id
LEFT JOIN holder fh ON fh.id = i.source_id
LEFT JOIN trace_coin tc ON tc.run_id = r.id AND tc.movement_id = e.to_id;

-- Where seized value is now: coins that are followed and unspent, and leaves where following stopped, with the reason.
--
-- state           live: an unspent coin that is followed; leaf: the trace stops here, see boundary
-- outpoint        txid:index of the coin; null: a fee, or an account
-- txid            transaction that brought it here; null: what an account holds
-- method          fifo, haircut; first-hop: where value that no leg explains went first, by the ledger (account chains)
-- label           number of the seized coin or balance; null: first-hop
-- traced          base units of that label here, as text; per case, chain, method and label they add up to the seed
-- traced_key      sorts as traced does
-- amount          base units of the whole coin or payment, clean ones included, as text
-- watch_ref       the case's watch on the holder; null: outside the case
-- role            its role; null: outside the case
-- height          height of the block that brought it here
CREATE VIEW v_frontier AS
SELECT q.case_ref, q.chain, q.method, q.state, q.boundary, q.label,
    (
        SELECT lower(hex(st.txid)) || ':' || sm.idx
        FROM trace_label s JOIN block sb ON sb.id = s.block_id AND sb.canonical AND sb.chain_id = q.chain_id
        LEFT JOIN movement sm ON sm.id = s.movement_id LEFT JOIN tx st ON st.id = sm.tx_id
        WHERE s.case_id = q.case_id AND s.ordinal = q.label
    ) AS label_outpoint, q.outpoint, q.txid, q.traced,
    printf('%03d', length(q.traced)) || q.traced AS traced_key, q.amount, q.asset, q.symbol, q.decimals,
    CASE WHEN h.id IS NOT NULL THEN coalesce(h.address, lower(hex(h.key))) END AS address,
    w.ref AS watch_ref, w.role, q.hop, q.height, q.movement_id
FROM (
    SELECT k.id AS case_id, k.ref AS case_ref, c.id AS chain_id, c.name AS chain, r.method,
        CASE WHEN tc.boundary IS NULL THEN 'live' ELSE 'leaf' END AS state, tc.boundary, e.ordinal AS label,
        CASE m.kind WHEN 1 THEN lower(hex(t.txid)) || ':' || m.idx END AS outpoint, lower(hex(t.txid)) AS txid,
        CAST(sum(CAST(e.amount AS INTEGER)) AS TEXT) AS traced, m.amount,
        a.caip19 AS asset, a.symbol, a.decimals, m.target_id AS holder_id, tc.hop, b.height, m.id AS movement_id
    FROM trace_coin tc
    JOIN trace_run r ON r.id = tc.run_id AND r.live AND r.superseded_by IS NULL
    JOIN cases k ON k.id = r.case_id
    JOIN movement m ON m.id = tc.movement_id
    JOIN block b ON b.id = m.block_id AND b.canonical
    JOIN chain c ON c.id = b.chain_id AND c.family = 'bitcoin'
    JOIN asset a ON a.id = m.asset_id
    JOIN tx t ON t.id = m.tx_id
    JOIN trace_edge e ON e.to_id = m.id AND e.run_id = r.id AND e.ordinal IS NOT NULL
    WHERE tc.boundary IS NOT NULL OR NOT EXISTS (
        SELECT 1 FROM movement i JOIN block ib ON ib.id = i.block_id WHERE i.spends_id = m.id AND ib.canonical
    )
    GROUP BY k.ref, r.method, m.id, e.ordinal
    UNION ALL
    SELECT k.id, k.ref, c.id, c.name, r.method, 'leaf', tc.boundary, e.ordinal, NULL, lower(hex(t.txid)), e.amount,
        m.amount, a.caip19, a.symbol, a.decimals, m.target_id, tc.hop, b.height, m.id
    FROM trace_coin tc
    JOIN trace_run r ON r.id = tc.run_id AND r.live AND r.superseded_by IS NULL
    JOIN cases k ON k.id = r.case_id
    JOIN movement m ON m.id = tc.movement_id
    JOIN block b ON b.id = m.block_id AND b.canonical
    JOIN chain c ON c.id = b.chain_id AND c.family <> 'bitcoin'
    JOIN asset a ON a.id = m.asset_id
    JOIN tx t ON t.id = m.tx_id
    JOIN trace_edge e ON e.to_id = m.id AND e.run_id = r.id AND e.ordinal IS NOT NULL
    WHERE tc.boundary IS NOT NULL
    UNION ALL
    SELECT k.id, k.ref, c.id, c.name, r.method, 'live', NULL, json_extract(lot.value, '$[0]'), NULL, NULL,
        json_extract(lot.value, '$[1]'), json_extract(lot.value, '$[1]'), a.caip19, a.symbol, a.decimals, l.holder_id,
        json_extract(lot.value, '$[2]'), b.height, NULL
    FROM trace_lots l
    JOIN trace_run r ON r.id = l.run_id AND r.live AND r.superseded_by IS NULL
    JOIN cases k ON k.id = r.case_id
    JOIN block b ON b.id = l.block_id AND b.canonical
    JOIN chain c ON c.id = b.chain_id
    JOIN asset a ON a.id = l.asset_id
    JOIN json_each(coalesce(json_extract(l.state, '$.lots'), json_extract(l.state, '$.left'))) lot
    WHERE json_extract(lot.value, '$[0]') IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM trace_lots n JOIN block nb ON nb.id = n.block_id AND nb.canonical
        WHERE n.run_id = l.run_id AND n.holder_id = l.holder_id AND n.asset_id = l.asset_id AND nb.height > b.height
    )
    UNION ALL
    SELECT k.id, k.ref, c.id, c.name, r.method, 'live', NULL, s.ordinal, lower(hex(t.txid)) || ':' || m.idx,
        lower(hex(t.txid)), m.amount, m.amount, a.caip19, a.symbol, a.decimals, m.target_id, 0, b.height, m.id
    FROM trace_label s
    JOIN block sb ON sb.id = s.block_id AND sb.canonical
    JOIN cases k ON k.id = s.case_id
    JOIN movement m ON m.id = s.movement_id
    JOIN block b ON b.id = m.block_id
    JOIN chain c ON c.id = b.chain_id
    JOIN asset a ON a.id = m.asset_id
    JOIN tx t ON t.id = m.tx_id
    JOIN trace_run r ON r.case_id = s.case_id AND r.chain_id = b.chain_id AND r.live AND r.superseded_by IS NULL
    WHERE NOT EXISTS (
        SELECT 1 FROM movement i JOIN block ib ON ib.id = i.block_id WHERE i.spends_id = m.id AND ib.canonical
    )
    UNION ALL
    SELECT k.id, k.ref, c.id, c.name, 'first-hop', 'leaf',
        CASE WHEN e.holder_id IS NOT NULL THEN 'first hop' WHEN e.reason LIKE 'fee %' THEN 'fee' ELSE e.reason END,
        NULL, NULL, nullif(lower(hex(t.txid)), ''), e.amount, coalesce(m.amount, e.amount),
        a.caip19, a.symbol, a.decimals, e.holder_id, 1,
        b.height, e.movement_id
    FROM entry e
    JOIN cases k ON k.id = e.case_id
    JOIN block b ON b.id = e.block_id AND b.canonical
    JOIN chain c ON c.id = b.chain_id
    JOIN asset a ON a.id = e.asset_id
    LEFT JOIN tx t ON t.id = e.tx_id
    LEFT JOIN movement m ON m.id = e.movement_id
    WHERE e.place = 'unexplained' AND c.family <> 'bitcoin'
) q
LEFT JOIN holder h ON h.id = q.holder_id
LEFT JOIN watch w ON w.case_id = q.case_id AND w.holder_id = q.holder_id;

-- Every change in the life of a transfer, each with its evidence; rows are only appended. What was known at an instant is
-- the rows up to it (docs/queries.md).
--
-- event_id        number of the event; later ones are larger
-- state           seen, included, confirmed, final; replaced, conflicted, dropped; orphaned, finality-violated
-- at              when it was observed, seconds since 1970 by the daemon's wall clock; never less than in the row before
-- at_utc          the same as text
-- height          height of that block
-- block_hash      block that it is about; of seen and dropped: our tip then; of conflicted: the block of the other one
-- policy_id       policy by which it was confirmed or final (v_policy); null for other states
-- other           transaction that replaced it or conflicts with it; of finality-violated: the rival block, if known
-- shared          what both spend: txid:index, or the nonce of an account; null for other states
CREATE VIEW v_transfer_event AS
SELECT e.id AS event_id, c.name AS chain, lower(hex(t.txid)) AS txid, t.txid AS txid_bytes,
    CASE e.state WHEN 0 THEN 'seen' WHEN 1 THEN 'included' WHEN 2 THEN 'confirmed' WHEN 3 THEN 'final'
        WHEN 4 THEN 'replaced' WHEN 5 THEN 'conflicted' WHEN 6 THEN 'dropped' WHEN 7 THEN 'orphaned'
        WHEN 8 THEN 'finality-violated' END AS state,
    e.at, strftime('%Y-%m-%dT%H:%M:%SZ', e.at, 'unixepoch') AS at_utc,
    b.height, nullif(lower(hex(b.hash)), '') AS block_hash, e.policy_id, nullif(lower(hex(e.other)), '') AS other,
    e.shared
FROM tx t
JOIN transfer_event e ON e.tx_id = t.id
JOIN chain c ON c.id = e.chain_id
LEFT JOIN block b ON b.id = e.block_id
UNION ALL
SELECT e.id AS event_id, c.name AS chain, lower(hex(p.txid)) AS txid, p.txid AS txid_bytes,
    CASE e.state WHEN 0 THEN 'seen' WHEN 1 THEN 'included' WHEN 2 THEN 'confirmed' WHEN 3 THEN 'final'
        WHEN 4 THEN 'replaced' WHEN 5 THEN 'conflicted' WHEN 6 THEN 'dropped' WHEN 7 THEN 'orphaned'
        WHEN 8 THEN 'finality-violated' END AS state,
    e.at, strftime('%Y-%m-%dT%H:%M:%SZ', e.at, 'unixepoch') AS at_utc,
    b.height, nullif(lower(hex(b.hash)), '') AS block_hash, e.policy_id, nullif(lower(hex(e.other)), '') AS other,
    e.shared
FROM pending_tx p
JOIN transfer_event e ON e.pending_id = p.id AND e.tx_id IS NULL
JOIN chain c ON c.id = e.chain_id
LEFT JOIN block b ON b.id = e.block_id;

-- The transfers' present states: the last event of each.
--
-- event_id        number of the event; later ones are larger
-- state           seen, included, confirmed, final; replaced, conflicted, dropped; orphaned, finality-violated
-- at              when it was observed, seconds since 1970 by the daemon's wall clock; never less than in the row before
-- at_utc          the same as text
-- height          height of that block
-- block_hash      block that it is about; of seen and dropped: our tip then; of conflicted: the block of the other one
-- policy_id       policy by which it was confirmed or final (v_policy); null for other states
-- other           transaction that replaced it or conflicts with it; of finality-violated: the rival block, if known
-- shared          what both spend: txid:index, or the nonce of an account; null for other states
CREATE VIEW v_transfer_state AS
SELECT e.* FROM v_transfer_event e
WHERE NOT EXISTS (
    SELECT 1 FROM v_transfer_event n
    WHERE n.txid_bytes = e.txid_bytes AND n.chain = e.chain AND n.event_id > e.event_id
);

-- What unconfirmed transactions would move in and out of watched addresses: every one that was ever seen.
--
-- direction       in: the watched holder would be credited; out: debited, on UTXO chains by the whole coin, change included
-- kind            in (a coin would be spent), out (one made), fee, trace (account value), log (token, by its call data)
-- idx             vin or vout index; 0 for others
-- source          who would be debited: address, else hex; null: nobody (out; fee on UTXO chains)
-- target          who would be credited; null: nobody (in, fee)
-- spends          what no other transaction can spend beside it: outpoints, or the nonce of an account
-- first_seen      when a node's mempool first had it, seconds since 1970 by the daemon's wall clock
-- first_seen_utc  the same as text
-- seen_by         who said so
-- state           its present state, as in v_transfer_state
-- lane            REPORTED: a mempool promises nothing
-- raw             the transaction's bytes as the node gave them, hex
CREATE VIEW v_pending_all AS
SELECT k.ref AS case_ref, w.role, w.ref AS watch_ref, 'in' AS direction, c.name AS chain,
    lower(hex(p.txid)) AS txid, p.txid AS txid_bytes,
    CASE m.kind WHEN 0 THEN 'in' WHEN 1 THEN 'out' WHEN 2 THEN 'fee' WHEN 3 THEN 'trace' WHEN 4 THEN 'log' END AS kind,
    m.idx, a.caip19 AS asset, a.symbol, a.decimals, m.amount,
    CASE WHEN sh.id IS NOT NULL THEN coalesce(sh.address, lower(hex(sh.key))) END AS source,
    CASE WHEN th.id IS NOT NULL THEN coalesce(th.address, lower(hex(th.key))) END AS target,
    p.spends, p.first_seen, strftime('%Y-%m-%dT%H:%M:%SZ', p.first_seen, 'unixepoch') AS first_seen_utc,
    p.source AS seen_by,
    (SELECT s.state FROM v_transfer_state s WHERE s.txid_bytes = p.txid AND s.chain = c.name) AS state,
    'REPORTED' AS lane, lower(hex(p.raw)) AS raw
FROM watch w
JOIN cases k ON k.id = w.case_id
JOIN pending_move m ON m.target_id = w.holder_id
JOIN pending_tx p ON p.id = m.pending_id
JOIN chain c ON c.id = p.chain_id
JOIN asset a ON a.id = m.asset_id
LEFT JOIN holder sh ON sh.id = m.source_id
LEFT JOIN holder th ON th.id = m.target_id
UNION ALL
SELECT k.ref, w.role, w.ref, 'out', c.name, lower(hex(p.txid)), p.txid,
    CASE m.kind WHEN 0 THEN 'in' WHEN 1 THEN 'out' WHEN 2 THEN 'fee' WHEN 3 THEN 'trace' WHEN 4 THEN 'log' END,
    m.idx, a.caip19, a.symbol, a.decimals, m.amount,
    CASE WHEN sh.id IS NOT NULL THEN coalesce(sh.address, lower(hex(sh.key))) END,
    CASE WHEN th.id IS NOT NULL THEN coalesce(th.address, lower(hex(th.key))) END,
    p.spends, p.first_seen, strftime('%Y-%m-%dT%H:%M:%SZ', p.first_seen, 'unixepoch'), p.source,
    (SELECT s.state FROM v_transfer_state s WHERE s.txid_bytes = p.txid AND s.chain = c.name),
    'REPORTED', lower(hex(p.raw))
FROM watch w
JOIN cases k ON k.id = w.case_id
JOIN pending_move m ON m.source_id = w.holder_id
JOIN pending_tx p ON p.id = m.pending_id
JOIN chain c ON c.id = p.chain_id
JOIN asset a ON a.id = m.asset_id
LEFT JOIN holder sh ON sh.id = m.source_id
LEFT JOIN holder th ON th.id = m.target_id;

-- What unconfirmed transactions would move in and out of watched addresses now: those that a mempool holds.
--
-- direction       in: the watched holder would be credited; out: debited, on UTXO chains by the whole coin, change included
-- kind            in (a coin would be spent), out (one made), fee, trace (account value), log (token, by its call data)
-- idx             vin or vout index; 0 for others
-- source          who would be debited: address, else hex; null: nobody (out; fee on UTXO chains)
-- target          who would be credited; null: nobody (in, fee)
-- spends          what no other transaction can spend beside it: outpoints, or the nonce of an account
-- first_seen      when a node's mempool first had it, seconds since 1970 by the daemon's wall clock
-- first_seen_utc  the same as text
-- seen_by         who said so
-- state           seen
-- lane            REPORTED: a mempool promises nothing
-- raw             the transaction's bytes as the node gave them, hex
CREATE VIEW v_pending AS
SELECT * FROM v_pending_all WHERE state = 'seen';

-- Everything that a person was told: also about blocks that a reorg took away, and about nodes.
--
-- alert_id        number of the alert; later ones are larger
-- at              when it was given, seconds since 1970 by the daemon's wall clock
-- at_utc          the same as text
-- rule            id of the rule that fired: LEG-1, LEG-5, REORG-1, ..
-- rule_version    version of that rule
-- severity        INFO, WARN, HIGH, CRITICAL
-- shown           1 if facts go against the rule; 0 if it cannot be decided, or is a warning
-- alert_lane      lane of what it rests on, where a rule over a case's facts found it; null elsewhere
-- chain           the chain whose block, or node, set it off; null: a record did
-- case_ref        the case it concerns; null: a node or the daemon
-- leg_ref         the leg it concerns; null: none
-- height          height of the block that caused it; null: none did
-- canonical       1 if that block is still on the chain, 0 if not; null: no block caused it
-- message         what was said
-- subject         what a rule over a case's facts found it of; null elsewhere
-- refs            JSON list of the facts that it cites: leg:ID, movement:ID, record:ID, entry:ID, block:ID
-- preset_sha256   SHA-256 of the preset that the rule was applied under, hex; null: none
-- state           open, acknowledged, closed (by somebody), resolved (the facts no longer say so), voided (its block is gone), mined (it was told of an unconfirmed transaction, and the same rule tells of its block now)
-- state_at        when it got into that state, seconds since 1970; null: it is as it was given
-- state_by        who did that; null: nobody
-- state_reason    why; null: not said
CREATE VIEW v_alert AS
SELECT x.id AS alert_id, x.at, strftime('%Y-%m-%dT%H:%M:%SZ', x.at, 'unixepoch') AS at_utc, x.rule, x.rule_version,
    x.severity, x.shown, x.lane AS alert_lane, c.name AS chain, k.ref AS case_ref, l.ref AS leg_ref,
    nullif(lower(hex(coalesce(t.txid, p.txid))), '') AS txid,
    b.height, nullif(lower(hex(b.hash)), '') AS block_hash, b.canonical, x.message, x.subject, x.refs,
    nullif(lower(hex(s.sha256)), '') AS preset_sha256,
    CASE WHEN e.what IN ('closed', 'resolved') THEN e.what
        WHEN x.pending_id IS NOT NULL AND EXISTS (
            SELECT 1 FROM tx m JOIN block mb ON mb.id = m.block_id AND mb.canonical
            JOIN alert n ON n.block_id = m.block_id AND n.tx_id = m.id AND n.rule = x.rule AND n.case_id IS x.case_id
            WHERE m.txid = p.txid) THEN 'mined'
        WHEN e.what = 'acknowledged' THEN e.what
        WHEN x.subject IS NULL AND b.canonical = 0 THEN 'voided' ELSE 'open' END AS state,
    e.at AS state_at, e.actor AS state_by, e.reason AS state_reason
FROM alert x
LEFT JOIN chain c ON c.id = x.chain_id
LEFT JOIN block b ON b.id = x.block_id
LEFT JOIN cases k ON k.id = x.case_id
LEFT JOIN leg l ON l.id = x.leg_id
LEFT JOIN tx t ON t.id = x.tx_id
LEFT JOIN pending_tx p ON p.id = x.pending_id
LEFT JOIN preset s ON s.id = coalesce(x.preset_id, k.preset_id)
LEFT JOIN alert_event e ON e.id = (SELECT max(n.id) FROM alert_event n WHERE n.alert_id = x.id);

-- What became of alerts, step by step; nothing is taken back; empty if nothing did.
--
-- event_id        grows with time
-- alert_id        number of the alert in v_alert
-- at              when, seconds since 1970 by the daemon's wall clock
-- at_utc          the same as text
-- what            acknowledged, closed (by somebody), resolved, reopened (because facts changed)
-- actor           who; tracerd: the facts
-- height          height of the tip then; null: not known
-- canonical       1 if that tip is on the chain, 0 if not; null: not known
CREATE VIEW v_alert_event AS
SELECT e.id AS event_id, e.alert_id, e.at, strftime('%Y-%m-%dT%H:%M:%SZ', e.at, 'unixepoch') AS at_utc, e.what, e.actor,
    e.reason, b.height, nullif(lower(hex(b.hash)), '') AS block_hash, b.canonical
FROM alert_event e
LEFT JOIN block b ON b.id = e.block_id;

-- The presets that cases were imported under, each as its file was; empty if none was.
--
-- preset_id       number of the preset
-- name            its name
-- preset_sha256   SHA-256 of the file, hex
-- text            the file
CREATE VIEW v_preset AS
SELECT id AS preset_id, name, lower(hex(sha256)) AS preset_sha256, text FROM preset;

-- Everything that was filed about a case, also what was superseded since; empty if nothing was.
--
-- record_id       number that findings cite (record:ID); grows with time
-- kind            bond, quote, award, recording, settlement, ..: docs/custody.md has them with their fields
-- record_ref      its name; unique among its kind in the case
-- actor           who filed it
-- second          who confirmed it; null: nobody
-- at              the instant that it speaks of, seconds since 1970
-- at_utc          the same as text
-- recorded_at     when it was filed, seconds since 1970 by the daemon's wall clock
-- document_sha256  SHA-256 of the document that it rests on, hex; null: none
-- record_lane     lane of what it says
-- body            what it says, as JSON
-- supersedes      name of the record that it replaces; null: none
-- superseded_by   name of the record that replaced it; null: it counts
-- digest          SHA-256 over all of it and the digest of the case's record before, hex (see docs/custody.md)
CREATE VIEW v_record_all AS
SELECT r.id AS record_id, k.ref AS case_ref, r.kind, r.ref AS record_ref, r.actor, r.second, r.at,
    strftime('%Y-%m-%dT%H:%M:%SZ', r.at, 'unixepoch') AS at_utc, r.recorded_at,
    nullif(lower(hex(r.document)), '') AS document_sha256, r.lane AS record_lane, r.body, o.ref AS supersedes,
    (SELECT n.ref FROM record n WHERE n.supersedes_id = r.id) AS superseded_by, lower(hex(r.digest)) AS digest
FROM record r
JOIN cases k ON k.id = r.case_id
LEFT JOIN record o ON o.id = r.supersedes_id;

-- What was filed about a case and counts, for nothing has superseded it; empty if nothing was.
--
-- record_id       number that findings cite (record:ID); grows with time
-- kind            bond, quote, award, recording, settlement, ..: docs/custody.md has them with their fields
-- record_ref      its name; unique among its kind in the case
-- actor           who filed it
-- second          who confirmed it; null: nobody
-- at              the instant that it speaks of, seconds since 1970
-- at_utc          the same as text
-- recorded_at     when it was filed, seconds since 1970 by the daemon's wall clock
-- document_sha256  SHA-256 of the document that it rests on, hex; null: none
-- record_lane     lane of what it says
-- body            what it says, as JSON
-- supersedes      name of the record that it replaces; null: none
-- superseded_by   null
-- digest          SHA-256 over all of it and the digest of the case's record before, hex (see docs/custody.md)
CREATE VIEW v_record AS
SELECT * FROM v_record_all WHERE superseded_by IS NULL;

-- Where a case stood, from each moment on: a row whenever that changed; empty if no case has a preset.
--
-- assessment_id   grows with time
-- at              from when, seconds since 1970 by the daemon's wall clock
-- at_utc          the same as text
-- clock           the case's own clock then: the latest of its chains' block times and of what its records speak of
-- chain           the chain whose block changed it; null: a record did
-- height          height of that block
-- stage           the stage of the preset
-- sides           JSON list of side states: HOLD, SUSPENDED, INCIDENT, PARTIAL
-- gates           JSON list of the stages reached, each with since when, and of the next one with what is missing
-- clocks          JSON list of the preset's clocks under each reading
-- regressed       1 if it is an earlier stage than the row before, else 0
-- current         1 in the last row of a case, else 0
-- preset_sha256   SHA-256 of the preset, hex
CREATE VIEW v_stage_all AS
SELECT a.id AS assessment_id, k.ref AS case_ref, a.at, strftime('%Y-%m-%dT%H:%M:%SZ', a.at, 'unixepoch') AS at_utc,
    a.clock, c.name AS chain, b.height, nullif(lower(hex(b.hash)), '') AS block_hash, a.stage, a.sides, a.gates, a.clocks,
    coalesce(a.rank < (SELECT o.rank FROM assessment o WHERE o.case_id = a.case_id AND o.id < a.id
        ORDER BY o.id DESC LIMIT 1), 0) AS regressed,
    NOT EXISTS (SELECT 1 FROM assessment n WHERE n.case_id = a.case_id AND n.id > a.id) AS current,
    lower(hex(p.sha256)) AS preset_sha256
FROM assessment a
JOIN cases k ON k.id = a.case_id
JOIN preset p ON p.id = a.preset_id
LEFT JOIN chain c ON c.id = a.chain_id
LEFT JOIN block b ON b.id = a.block_id;

-- Where each case stands; empty if no case has a preset.
--
-- assessment_id   grows with time
-- at              from when, seconds since 1970 by the daemon's wall clock
-- at_utc          the same as text
-- clock           the case's own clock then: the latest of its chains' block times and of what its records speak of
-- chain           the chain whose block changed it; null: a record did
-- height          height of that block
-- stage           the stage of the preset
-- sides           JSON list of side states: HOLD, SUSPENDED, INCIDENT, PARTIAL
-- gates           JSON list of the stages reached, each with since when, and of the next one with what is missing
-- clocks          JSON list of the preset's clocks under each reading
-- regressed       1 if it is an earlier stage than the row before, else 0
-- current         1
-- preset_sha256   SHA-256 of the preset, hex
CREATE VIEW v_stage AS
SELECT * FROM v_stage_all WHERE current;

-- What packs of labels say about addresses; empty if none was imported. A label is INFERRED: it says who somebody thinks is
-- behind an address, no more.
--
-- label_id        number of the label; later ones are larger
-- holder          the holder's bytes, hex; null: the address means nothing on a chain that is followed
-- address         the address as the pack writes it
-- currency        what it is an address of, as the pack says: BTC, ETH, ..
-- label           who or what is behind it
-- category        exchange, sanctions, mixing_service, ..; empty: not said
-- abuse           what it was abused for; empty: not said
-- confidence      how sure the pack is, in its own words; empty: not said
-- lastmod         when the label was last changed, as the pack says; empty: not said
-- source          where the pack has it from; empty: not said
-- extra           what else the pack says, as JSON; empty: nothing
-- pack_kind       tagpack (GraphSense), ofac (SDN list)
-- pack_title      title of the pack
-- pack_creator    who made the pack
-- pack_sha256     SHA-256 of the file
-- imported_at     when it was imported, seconds since 1970 by the daemon's wall clock
-- imported_at_utc  the same as text
-- in_force        1 unless a later pack of the same kind, title and creator has replaced it
-- lane            INFERRED
CREATE VIEW v_label AS
SELECT l.id AS label_id, k.name AS chain, nullif(lower(hex(l.holder_key)), '') AS holder, l.address, l.currency, l.label,
    l.category, l.abuse, l.confidence, l.lastmod, l.source, l.extra, p.kind AS pack_kind, p.title AS pack_title,
    p.creator AS pack_creator, lower(hex(p.sha256)) AS pack_sha256, p.imported_at,
    strftime('%Y-%m-%dT%H:%M:%SZ', p.imported_at, 'unixepoch') AS imported_at_utc, p.superseded_by IS NULL AS in_force,
    'INFERRED' AS lane
FROM label l
JOIN label_pack p ON p.id = l.pack_id
LEFT JOIN chain k ON k.id = l.chain_id;

-- Pairs of labels in force that say different things of one address; empty if none do. Both stay, whoever is right.
--
-- label_id        number of the earlier label in v_label
-- other_id        number of the later one
-- address         the address as the earlier one writes it
-- label           who or what is behind it, says the earlier one
-- other_label     and the later one
-- category        what that is, says the earlier one
-- other_category  and the later one
-- pack_title      title of the earlier one's pack
-- other_title     title of the later one's
CREATE VIEW v_label_conflict AS
SELECT l.id AS label_id, o.id AS other_id, k.name AS chain, l.address, l.label, o.label AS other_label, l.category,
    o.category AS other_category, p.title AS pack_title, q.title AS other_title
FROM label l
JOIN label_pack p ON p.id = l.pack_id AND p.superseded_by IS NULL
JOIN chain k ON k.id = l.chain_id
JOIN label o ON o.holder_key = l.holder_key AND o.chain_id = l.chain_id AND o.id > l.id
    AND (o.label <> l.label OR o.category <> l.category)
JOIN label_pack q ON q.id = o.pack_id AND q.superseded_by IS NULL
UNION ALL
SELECT l.id, o.id, NULL, l.address, l.label, o.label, l.category, o.category, p.title, q.title
FROM label l
JOIN label_pack p ON p.id = l.pack_id AND p.superseded_by IS NULL
JOIN label o ON o.address = l.address AND o.currency = l.currency AND o.chain_id IS NULL AND o.id > l.id
    AND (o.label <> l.label OR o.category <> l.category)
JOIN label_pack q ON q.id = o.pack_id AND q.superseded_by IS NULL
WHERE l.chain_id IS NULL;

-- The trace runs that were registered, with what was chosen before each was computed. A run is never altered.
--
-- run_id          number of the run; `tracer audit` takes it
-- method          fifo, haircut, poison, lifo, tiho, seniority, clean-first
-- variant         outpoints: begins with named coins, not with what was seized; else empty
-- rounding        how parts of units are avoided
-- fee_policy      sink: traced fees end there; coinbase: they go on to the miner where the block is stored whole
-- limits          JSON: max_hops, min_amount (base units), max_live; 1073741824: no limit
-- stop_at         JSON: further reasons to stop, coinjoin or categories of labels
-- labels_sha256   snapshot of the labels that stop_at consults, hex; empty: none
-- sources_sha256  hash of the sources in label order, hex; null: a live run, whose sources are v_trace_seed
-- rules           version of the tracing rules
-- live            1: the daemon advances it with every block; 0: it was computed once
-- superseded      1: a source turned out to be earlier, and another run took its place
-- since           height after which it traces
-- whole           JSON: spans of heights whose blocks were stored whole when it was registered
-- registered_at   seconds since 1970 (UTC)
CREATE VIEW v_trace_run AS
SELECT r.id AS run_id, k.ref AS case_ref, c.name AS chain, r.method, r.variant, r.rounding, r.fee_policy, r.limits,
    r.stop_at, r.labels_sha256, lower(hex(r.sources_sha256)) AS sources_sha256, r.rules, r.live,
    r.superseded_by IS NOT NULL AS superseded, r.since, r.whole, r.registered_at
FROM trace_run r
JOIN cases k ON k.id = r.case_id
JOIN chain c ON c.id = r.chain_id;

-- What runs that are not live came to; empty if none was computed.
--
-- result_id       number of the result
-- run_id          its run (v_trace_run)
-- height          height of the block at which it holds
-- block_hash      hash of that block, hex
-- canonical       1 if that block is still on the chain, 0 if a reorg voided the result
-- engine          what computed it
-- digest          SHA-256 over what was chosen, the block's hash and the ends, hex; docs/tracing.md
-- transactions    transactions that carried traced value
-- ends            rows in v_trace_end
-- computed_at     seconds since 1970 (UTC)
CREATE VIEW v_trace_result AS
SELECT s.id AS result_id, s.run_id, b.height, lower(hex(b.hash)) AS block_hash, b.canonical, s.engine,
    lower(hex(s.digest)) AS digest, s.transactions, s.ends, s.computed_at
FROM trace_result s
JOIN block b ON b.id = s.tip_id;

-- Where the units of every label are by a result, in the order of its digest; empty if none was computed.
--
-- result_id       the result (v_trace_result)
-- run_id          its run (v_trace_run)
-- height          height of the block that brought them there; -1: what an account holds
-- movement_id     movement that brought them there; 0: fees of a whole block, or what an account holds
-- idx             vout or log index of that movement; -1: what an account holds
-- txid            its transaction, hex; null: fees of a whole block, or what an account holds
-- place           offset of the units in the coin or queue, from its front, as text; 0 under haircut and poison
-- label           number of the source
-- traced          base units of that label, as text
-- state           live, or leaf: the trace stops there
-- reason          why it stops, or where it is live: custody, unspent, not followed further
-- address         who has them; null: a fee
-- asset           their asset (CAIP-19)
CREATE VIEW v_trace_end AS
SELECT p.result_id, r.id AS run_id, json_extract(e.value, '$[0]') AS height,
    json_extract(e.value, '$[4]') AS movement_id, json_extract(e.value, '$[3]') AS idx, lower(hex(t.txid)) AS txid,
    json_extract(e.value, '$[5]') AS place, json_extract(e.value, '$[6]') AS label,
    json_extract(e.value, '$[7]') AS traced, json_extract(e.value, '$[8]') AS state,
    json_extract(e.value, '$[9]') AS reason, coalesce(
        h.address, CASE c.family WHEN 'bitcoin' THEN '' ELSE '0x' END || json_extract(e.value, '$[10]')
    ) AS address,
    json_extract(e.value, '$[11]') AS asset, a.symbol, a.decimals
FROM trace_page p
JOIN trace_result s ON s.id = p.result_id
JOIN trace_run r ON r.id = s.run_id
JOIN chain c ON c.id = r.chain_id
JOIN json_each(p.ends) e
JOIN asset a ON a.caip19 = json_extract(e.value, '$[11]')
LEFT JOIN movement m ON m.id = json_extract(e.value, '$[4]')
LEFT JOIN tx t ON t.id = m.tx_id
LEFT JOIN holder h ON h.id = m.target_id;

-- Value that went on in another asset through a swap, by the live runs; empty if nothing was swapped.
--
-- given_id        movement of what was given
-- got_id          movement of what was got
-- label           number of the source
-- got             base units that the label goes on with, as text
-- given_symbol    symbol of what was given
-- got_symbol      symbol of what was got
-- given_amount    base units of the whole payment given, as text; got_amount / given_amount is the rate
-- got_amount      base units of the whole payment got, as text
CREATE VIEW v_trace_swap AS
SELECT k.ref AS case_ref, c.name AS chain, r.method, b.height, lower(hex(t.txid)) AS txid, g.id AS given_id,
    m.id AS got_id, e.ordinal AS label, e.amount AS got, ga.symbol AS given_symbol, g.amount AS given_amount,
    a.symbol AS got_symbol, m.amount AS got_amount
FROM trace_edge e
JOIN trace_run r ON r.id = e.run_id
JOIN cases k ON k.id = r.case_id
JOIN movement m ON m.id = e.to_id
JOIN movement g ON g.id = e.from_id AND g.asset_id <> m.asset_id
JOIN block b ON b.id = m.block_id AND b.canonical
JOIN chain c ON c.id = b.chain_id
JOIN tx t ON t.id = m.tx_id
JOIN asset a ON a.id = m.asset_id
JOIN asset ga ON ga.id = g.asset_id
WHERE e.ordinal IS NOT NULL;
