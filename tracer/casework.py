"""All cases on one chain advance together over a block: facts in, rows and changes of interest out. Pure.

The state is a function of the store's canonical rows: it is loaded at start and after every disconnect. Questions that
only the store or the node can answer come in as `Asked` and as arguments.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from tracer.book import (
    NOT_SHARED,
    Book,
    Flow,
    Moment,
    Numbered,
    Shares,
    fee_posted,
    flow_of,
    newly_judged,
    open_with,
    overdue_between,
    post,
)
from tracer.chain import NO_MARKS, Marks, Policy, marks_for
from tracer.custody.judge import Verdict, judge_conservation, judge_leg
from tracer.custody.ledger import KEEPING, Entry, Place
from tracer.custody.lookalike import LookAlikes, nobody_known
from tracer.drift import note_checks
from tracer.life import Lives
from tracer.matching import LegState
from tracer.notices import Notice, about_debits, about_deception, about_leg, about_postings, shared_credit
from tracer.opening import Interest, Tracked, missing_coins, opening_balances, opening_coins, payers_of
from tracer.prepared import Ids, Judged, KeptTx, Prepared, as_stored
from tracer.rivals import NOTHING, NoRivals, Rivals, left_over
from tracer.sharing import share_out
from tracer.taint.coins import RoleOf
from tracer.tracing import Ahead, LiveRuns, of_interest, points_of
from tracer.types import (
    HELD_ROLES,
    Asset,
    AssetId,
    AssetKind,
    BlockFacts,
    Holder,
    Kind,
    Movement,
    Outpoint,
    Role,
    TxFacts,
    outpoint,
)
from tracer.value import Balance, Key, Values, evident, held_to_balances

__all__ = ["Casework", "Ids", "Judged", "KeptTx", "Prepared"]


@dataclass(slots=True)
class Casework:
    """The cases of one chain.

    utxo: whether value lives in coins. interest_of: which cases watch a holder. show: a holder's address, for messages.
    alike: the addresses of a case that others may be mistaken for.
    """

    utxo: bool
    native: Asset
    assets: dict[AssetId, Asset]
    ids: Ids
    interest_of: Callable[[Holder], tuple[Interest, ...]]
    show: Callable[[Holder], str]
    books: dict[int, Book]
    runs: LiveRuns
    coins: dict[Outpoint, Tracked]
    policy: Policy
    clock: int = 0
    lives: Lives = field(default_factory=Lives)
    rivals: Rivals = field(default_factory=NoRivals)
    values: Values = field(default_factory=Values)
    alike: Callable[[int], LookAlikes] = nobody_known

    @property
    def followed(self) -> frozenset[AssetId]:
        """Assets whose movements count in ledgers."""
        return frozenset(
            asset.id for asset in self.assets.values() if asset.kind in (AssetKind.NATIVE, AssetKind.LISTED)
        )

    @property
    def unjudged(self) -> bool:
        """Whether a leg of an open book has no verdict under the policy in force."""
        return any(
            (leg.plan.id, leg.plan.asset) not in book.judged
            for book in self.books.values()
            if book.opened
            for leg in book.legs
        )

    def opening_at(self, height: int) -> list[int]:
        """The cases whose books open at a height."""
        return [book.case_id for book in self.books.values() if not book.opened and book.seizure == height]

    def open_roles(self, holder: Holder) -> list[Role]:
        """The roles of a holder in the cases whose books are open."""
        return [i.role for i in self.interest_of(holder) if (b := self.books.get(i.case_id)) is not None and b.opened]

    def connect(
        self,
        facts: BlockFacts,
        marks: Marks,
        balances: Mapping[tuple[int, Holder, AssetId], int],
        answers: Mapping[Key, Balance] = MappingProxyType({}),
        before: Mapping[Key, int] = MappingProxyType({}),
    ) -> Prepared:
        """Advance over one block.

        balances: for the cases that open here on account chains, what their holders held after this block.
        answers: balances after it that were asked, to be held against what was observed. before: balances after its
        parent that `look_ahead` asked for.
        """
        done, touched, served = self._advance(facts, marks, balances, answers, before)
        judged = self._judge(facts.time, marks, touched, served)
        done.verdicts, done.notices = judged.verdicts, done.notices + judged.notices
        done.changes = self.lives.connected(done.block_id, facts.ref.height, done.transfers, marks)
        return done

    def pass_over(
        self,
        facts: BlockFacts,
        balances: Mapping[tuple[int, Holder, AssetId], int],
        answers: Mapping[Key, Balance] = MappingProxyType({}),
        before: Mapping[Key, int] = MappingProxyType({}),
    ) -> Prepared:
        """Advance over a block of the past: what is judged is judged at the end, by `judge_all`."""
        return self._advance(facts, NO_MARKS, balances, answers, before)[0]

    def look_ahead(self, facts: BlockFacts, before: Mapping[Key, int]) -> Ahead:
        """Say what traces would reach in a block for the first time, without advancing; before: as in `connect`."""
        return self.runs.look_ahead(facts, self.followed, before, self._roles_in)

    def _roles_in(self, case_id: int) -> RoleOf:
        """Who is who in a case."""
        return lambda holder: next((i.role for i in self.interest_of(holder) if i.case_id == case_id), None)

    def judge_all(self, time: int, marks: Marks) -> Judged:
        """Judge every leg and every ledger as they stand at the tip, whose clock is `time`."""
        ledgers = {(case_id, asset): None for case_id, book in self.books.items() for asset in book.totals}
        legs = {(case_id, leg.plan.id): None for case_id, book in self.books.items() for leg in book.legs}
        return self._judge(time, marks, ledgers, legs)

    def _advance(
        self,
        facts: BlockFacts,
        marks: Marks,
        balances: Mapping[tuple[int, Holder, AssetId], int],
        answers: Mapping[Key, Balance],
        before: Mapping[Key, int],
    ) -> tuple[Prepared, dict[tuple[int, AssetId], None], dict[tuple[int, int], None]]:
        """Book what a block holds; returns also the ledgers (case, asset) touched, and the legs (case, leg) served."""
        facts = evident(facts, self.followed)
        facts = self._of_interest(facts, before, asked=bool(answers))
        begun, here = {holder for _, holder, _ in balances}, self.values.observe(facts)
        checks = self.values.check(facts.ref.height, answers, here, self.open_roles, begun)
        facts = held_to_balances(facts, checks, self.followed)
        done = Prepared(self.ids.of_block(), facts, marks, checks=checks)
        doubted = frozenset((check.holder, check.asset) for check in done.checks if check.unobserved)
        moment = Moment(done.block_id, facts.ref.height, facts.time, doubted)
        touched, done.notices = note_checks(done.checks, self.books, self.interest_of, self.assets, self.show)
        served: dict[tuple[int, int], None] = {}
        for asset in facts.new_assets:
            self.assets.setdefault(asset.id, asset)
        for tx in facts.transactions:
            self._transaction(tx, moment, done, touched, served)
        for move in facts.loose:
            self._loose(move, done, touched)
        self.runs.pay(self.followed, before, self._roles_in, done)
        for case_id in self.opening_at(facts.ref.height):
            self._open(self.books[case_id], balances, done, touched)
        for case_id, asset_id in touched:
            done.ledger[case_id, asset_id] = replace(self.books[case_id].total(asset_id))
        for case_id, holder, asset_id in done.held:
            done.held[case_id, holder, asset_id] = self.books[case_id].held.get((holder, asset_id), 0)
        return done, touched, served

    def _of_interest(self, facts: BlockFacts, before: Mapping[Key, int], asked: bool) -> BlockFacts:
        """Leave out what names nobody who is watched or followed: a scanner may look for more than that.

        Accounts that a trace reaches in the block count for all of it, so that what is stored depends on nothing else.
        asked: whether balances were, whose proofs need the header.
        """
        if self.utxo or not (facts.transactions or facts.loose):
            return facts
        counted = self.followed
        reached = self.runs.look_ahead(facts, counted, before, self._roles_in).holders

        def counts(holder: Holder) -> bool:
            return holder in reached or self.runs.follows(holder, counted) or bool(self.interest_of(holder))

        kept = [replace(tx, movements=tuple(of_interest(tx.movements, counts))) for tx in facts.transactions]
        loose = tuple(of_interest(facts.loose, counts))
        kept = [tx for tx in kept if tx.movements]
        met = {move.asset for tx in kept for move in tx.movements}
        return replace(
            facts,
            header=facts.header if kept or loose or asked else None,
            transactions=tuple(kept),
            loose=loose,
            new_assets=tuple(asset for asset in facts.new_assets if asset.id in met),
        )

    def check_again(self, height: int, marks: Marks, answers: Mapping[Key, Balance]) -> Judged:
        """Hold balances after the tip against what was observed, without a new block."""
        checks = [replace(c, later=True) for c in self.values.check(height, answers, {}, self.open_roles)]
        touched, notices = note_checks(checks, self.books, self.interest_of, self.assets, self.show)
        judged = self._judge(self.clock, marks, touched, {})
        return Judged(judged.verdicts, notices + judged.notices, checks=checks)

    def voided(self) -> list[tuple[int, int]]:
        """The legs (case, leg) all of whose transactions left the chain."""
        return [(book.case_id, leg.plan.id) for book in self.books.values() for leg in book.legs if leg.voided]

    def judge_again(self, marks: Marks, legs: Iterable[tuple[int, int]]) -> Judged:
        """Judge given legs (case, leg) at the tip without a new block: after a disconnect, or when marks move."""
        judged = self._judge(self.clock, marks, {}, dict.fromkeys(legs))
        return replace(judged, changes=self.lives.marked(marks))

    def _transaction(
        self,
        tx: TxFacts,
        moment: Moment,
        done: Prepared,
        touched: dict[tuple[int, AssetId], None],
        served: dict[tuple[int, int], None],
    ) -> None:
        kept = self._keep(tx, done.txs)
        if kept is None:
            return
        done.txs.append(kept)
        if roles := self._roles(kept.moves):
            done.transfers.append((kept.id, tx.txid))
        spent = [(n, self.coins.get(n.movement.spends)) for n in kept.moves if n.movement.spends is not None]
        flows = self._flows(kept, roles, moment.time, done)
        borne = self.rivals.taken(kept.id).fee  # inputs of several cases pay one fee together, not one each
        for case_id, seen in flows.items():
            book = self.books[case_id]
            flow = replace(seen, fee=max(0, seen.fee - borne)) if self.utxo else seen
            entries, matches = post(book, flow, moment)
            borne += fee_posted(entries)
            done.entries += [(case_id, kept.id, entry) for entry in entries]
            self._note(book, flow, entries, done)
            touched.update(((case_id, asset), None) for asset in flow.assets)
            served.update(((case_id, match.leg.plan.id), None) for match in matches)
            if self.utxo:
                book.coins.update(
                    outpoint(tx.txid, n.movement.index)
                    for n in kept.moves
                    if any(e.movement_id == n.id and e.place in KEEPING for e in entries)
                )
            done.notices += about_postings(case_id, kept.id, entries, self.assets, self.show)
            who = payers_of(case_id, self.interest_of, self.show)
            done.notices += about_debits(book, kept.id, flow, entries, matches, who)
        done.notices += about_deception(kept.id, kept.moves, roles, self.assets, self.alike, self.show)
        if self.utxo:
            self._move_coins(kept, roles, spent, done)

    def _keep(self, tx: TxFacts, before: Sequence[KeptTx]) -> KeptTx | None:
        """Number the movements worth storing; a debit of interest keeps the whole transaction."""
        moves: Sequence[Movement] = tx.movements
        if self.utxo and not any(move.spends in self.coins for move in moves if move.spends is not None):
            moves = [
                move
                for move in moves
                if move.kind is Kind.OUT and move.target is not None and self.interest_of(move.target)
            ]
        if not moves:
            return None
        if self.utxo:
            moves = as_stored(moves, self.coins, before)
        numbered: list[Numbered] = []
        for move in moves:
            tracked = self.coins.get(move.spends) if move.spends is not None else None
            number = self.ids.of_movement(tx.position, move)
            numbered.append(Numbered(number, move, tracked.movement_id if tracked else None))
        return KeptTx(self.ids.of_tx(tx.position), tx.position, tx.txid, tx.raw, tx.proof, tuple(numbered))

    def _roles(self, moves: Sequence[Numbered]) -> dict[int, dict[Holder, Role]]:
        """Per case the roles of the holders that appear in some movements."""
        roles: dict[int, dict[Holder, Role]] = {}
        for holder in {h for n in moves for h in (n.movement.source, n.movement.target) if h is not None}:
            for interest in self.interest_of(holder):
                roles.setdefault(interest.case_id, {})[holder] = interest.role
        return roles

    def _flows(
        self, kept: KeptTx, roles: Mapping[int, Mapping[Holder, Role]], time: int, done: Prepared
    ) -> dict[int, Flow]:
        """Read a transaction for every case it concerns, settling whose payment it is where cases share holders."""
        moves, books = kept.moves, self.books
        concerned = {case_id: roles[case_id] for case_id in sorted(roles) if case_id in books and books[case_id].opened}
        native, followed, shares = self.native.id, self.followed, NOT_SHARED
        if len(concerned) > 1:
            shares = share_out(moves, concerned, self.books, time, native, followed)
            done.notices += self._unclaimed(moves, shares)
        taken = self.rivals.taken(kept.id)
        if taken is not NOTHING:
            shares = left_over(moves, concerned, self.books, shares, taken)
        flows = {
            case_id: flow_of(self.books[case_id], moves, case_roles, native, followed, shares)
            for case_id, case_roles in concerned.items()
        }
        for case_id, flow in flows.items():
            credits = tuple(c for c in flow.credits if c.payers or not self._named_only(case_id, c.holder))
            flows[case_id] = replace(flow, credits=credits)
        return {case_id: flow for case_id, flow in flows.items() if flow.debits or flow.credits}

    def _unclaimed(self, moves: Sequence[Numbered], shares: Shares) -> list[Notice]:
        """Tell of credits to shared addresses that no case could be given."""
        claims: dict[int, int] = {}
        for (_, movement_id), units in shares.credits.items():
            claims[movement_id] = claims.get(movement_id, 0) + units
        notices: list[Notice] = []
        for move in (n.movement for n in moves if n.movement.amount and claims.get(n.id) == 0):
            if move.target is not None:
                held = [i.case_id for i in self.interest_of(move.target) if i.role in HELD_ROLES]
                notices += shared_credit([self.books[case] for case in held], f"payment to {self.show(move.target)}")
        return notices

    def _named_only(self, case_id: int, holder: Holder) -> bool:
        """Whether only named coins of an address are the case's, so that what strangers pay to it is not."""
        return any(i.case_id == case_id and i.outpoints is not None for i in self.interest_of(holder))

    def _note(self, book: Book, flow: Flow, entries: Sequence[Entry], done: Prepared) -> None:
        """Remember which holdings of a book changed."""
        for asset, paid in flow.debits.items():
            done.held.update({(book.case_id, holder, asset): 0 for holder in paid})
        for entry in entries:
            if entry.holder is not None and entry.place in KEEPING:
                done.held[book.case_id, entry.holder, entry.asset] = 0

    def _move_coins(
        self,
        kept: KeptTx,
        roles: Mapping[int, Mapping[Holder, Role]],
        spent: Sequence[tuple[Numbered, Tracked | None]],
        done: Prepared,
    ) -> None:
        """Retire spent coins, track new ones of watched holders, and advance the traces."""
        outs = [n for n in kept.moves if n.movement.kind is Kind.OUT]
        points = points_of(kept)
        going_on = self.runs.spend(kept, roles, points, done)
        for numbered in outs:
            if points[numbered.id] in going_on:
                self._track(points[numbered.id], kept.position, numbered, done)
        for numbered in outs:
            target = numbered.movement.target
            if target is not None and any(target in case_roles for case_roles in roles.values()):
                self._track(points[numbered.id], kept.position, numbered, done)
        for numbered, tracked in spent:
            point = numbered.movement.spends
            if tracked is not None and point is not None:
                del self.coins[point]
                done.removed.append(point)
                for book in self.books.values():
                    book.coins.discard(point)

    def _track(self, point: Outpoint, position: int, numbered: Numbered, done: Prepared) -> None:
        move = numbered.movement
        if point not in self.coins and move.target is not None:
            order = (done.facts.ref.height, position, move.index)
            self.coins[point] = done.added[point] = Tracked(numbered.id, move.target, move.amount, order, move.lane)

    def _loose(self, move: Movement, done: Prepared, touched: dict[tuple[int, AssetId], None]) -> None:
        """Book a withdrawal or reward: a credit that no transaction carries."""
        numbered = Numbered(self.ids.of_movement(None, move), move)
        done.loose.append(numbered)
        if move.target is None or not move.amount or self.rivals.claimed(numbered.id):
            return
        holding = [i.case_id for i in self.interest_of(move.target) if i.role in HELD_ROLES and i.case_id in self.books]
        books = [self.books[case_id] for case_id in holding if self.books[case_id].opened]
        if len(books) == 1:
            entry = Entry(move.asset, Place.CREDIT, move.kind.name.lower(), move.amount, numbered.id, move.target)
            open_with(books[0], [entry])
            done.entries.append((books[0].case_id, None, entry))
            done.held[books[0].case_id, move.target, move.asset] = 0
            touched[books[0].case_id, move.asset] = None
        done.notices += shared_credit(books, f"{move.kind.name.lower()} to {self.show(move.target)}")

    def _open(
        self,
        book: Book,
        balances: Mapping[tuple[int, Holder, AssetId], int],
        done: Prepared,
        touched: dict[tuple[int, AssetId], None],
    ) -> None:
        """Open a book at B0 with the coins or balances its holders have."""
        others = [other for other in self.books.values() if other is not book] + self.rivals.books(book.seizure)
        if self.utxo:
            entries, seized = opening_coins(book, others, self.coins, self.interest_of, self.native.id)
            self.runs.seed_coins(book.case_id, [(point, self.coins[point]) for point in seized], done)
            done.notices += missing_coins(book)
        else:
            entries = opening_balances(book, others, balances, self.interest_of)
            seized_there = [(e.holder, e.asset, e.amount) for e in entries if e.place is Place.SEIZED and e.holder]
            self.runs.seed_accounts(book.case_id, sorted(seized_there), done)  # in whatever order they were asked for
        open_with(book, entries)
        touched[book.case_id, self.native.id] = None
        for entry in entries:
            done.entries.append((book.case_id, None, entry))
            if entry.holder is not None:
                done.held[book.case_id, entry.holder, entry.asset] = 0
            touched[book.case_id, entry.asset] = None

    def _judge(
        self,
        time: int,
        marks: Marks,
        touched: Mapping[tuple[int, AssetId], None],
        served: Mapping[tuple[int, int], None],
    ) -> Judged:
        """Judge what changed: served legs, legs that may cross a threshold or a deadline, and ledgers."""
        before, self.clock = self.clock, max(self.clock, time)
        judged = Judged([], [])
        for book in self.books.values():
            if not book.opened:
                continue
            due = {leg_id for case_id, leg_id in served if case_id == book.case_id} | book.unsettled
            due |= overdue_between(book, before, self.clock)
            for leg in book.legs if not book.judged else [book.by_id[leg_id] for leg_id in sorted(due)]:
                self._judge_leg(book, leg, marks, judged)
        for case_id, asset in touched:
            book = self.books[case_id]
            doubts = book.doubts(asset, self.native.id)
            judgement = judge_conservation(asset, book.total(asset), doubts, book.lost(asset))
            if newly_judged(self.books[case_id], None, asset, judgement):
                judged.verdicts.append((case_id, None, asset, judgement))
        return judged

    def _judge_leg(self, book: Book, leg: LegState, marks: Marks, judged: Judged) -> None:
        plan = leg.plan
        marks = marks_for(marks, self.policy, plan.asset, plan.amount)
        judgement = judge_leg(leg, self.clock, marks, book.attestations.get(plan.target, ()))
        settled = leg.complete and max(a.height for a in leg.arrivals) <= marks.final if leg.arrivals else True
        if settled:
            book.unsettled.discard(plan.id)
        _, before = book.judged.get((plan.id, plan.asset), ("", ""))
        if not newly_judged(book, plan.id, plan.asset, judgement):
            return
        judged.verdicts.append((book.case_id, plan.id, plan.asset, judgement))
        if judgement.verdict is Verdict.CONTRADICTED:
            judged.notices.extend(about_leg(book.case_id, plan, judgement.reason, before))
