"""The dense engine as loops that numba compiles: one function per kind of method, over transactions in order.

Importing this takes numba: only the process that compiles does (`build`). The functions get a table of addresses, and
the numbers of a control (see `lent`); they change the arrays in place, allocate nothing, and return DONE, or what they
need more room for: then nothing of the transaction at hand was done.
"""

from typing import Any

import numpy as np

from tracer.taint.dense import native
from tracer.taint.dense.lent import (
    CELL,
    COUNT,
    FEE,
    FEE_ROWS,
    FEES_ROOM,
    HEIGHT,
    HOP,
    IN_AMOUNT,
    INS,
    LABELS,
    LIVE,
    MASKS,
    NEEDED,
    NEXT,
    OFFSET,
    ORDER,
    OUTS,
    ROOM_AT,
    SEEN,
    STOP,
    SUMS,
    TRACED,
    USED,
    WORDS,
    claim,
    flush,
    graph_of,
    int64s,
    lent_of,
    lists_of,
    over,
    settle,
    small,
    words_of,
)
from tracer.taint.dense.task import FOLLOWED

DONE, ROOM, FEES = native.DONE, native.ROOM, native.FEES
FIFO, LIFO, TIHO, SENIORITY, CLEAN_FIRST = range(5)


def _pay_all(paid: Any, union: Any, words: Any, fee: Any) -> None:
    """Add a fee to each label of a set."""
    for word in range(words):
        bits = union[word]
        rank = 64 * word
        while bits:
            if bits & np.uint64(1):
                fee[rank] += paid
            bits >>= np.uint64(1)
            rank += 1


pay_all: Any = small(_pay_all)


def poison(lent_at: Any, control_at: Any) -> Any:
    """Give every output the labels of all inputs."""
    control, lent, whose, state, hops = lent_of(lent_at, control_at)
    heights, in_start, out_start, in_coin, out_amount, total = graph_of(lent, control)
    words = control[WORDS]
    masks, union = words_of(lent, MASKS, control[OUTS] * words), words_of(lent, SEEN, words)
    fee, fee_rows = int64s(lent, FEE, control[LABELS]), int64s(lent, FEE_ROWS, 3 * control[FEES_ROOM])
    for tx in range(control[NEXT], control[STOP]):
        hop = -1
        for place in range(in_start[tx], in_start[tx + 1]):
            coin = in_coin[place]
            if coin >= 0 and state[coin] == FOLLOWED:
                if hop < 0:
                    if heights[tx] != control[HEIGHT] and not flush(heights[tx], control, fee, fee_rows):
                        control[NEXT] = tx
                        return FEES
                    for word in range(words):
                        union[word] = 0
                for word in range(words):
                    union[word] |= masks[coin * words + word]
                hop = max(hop, hops[coin])
                state[coin] = 0
                control[LIVE] -= 1
        if hop < 0:
            continue
        control[TRACED] += 1
        live, born, paid = control[LIVE], 0, total[tx]
        for out in range(out_start[tx], out_start[tx + 1]):
            amount = out_amount[out]
            if amount:
                paid -= amount
                for word in range(words):
                    masks[out * words + word] = union[word]
                born += settle(out, hop + 1, amount, live, control, whose, state, hops, out)
        control[LIVE] += born
        if paid:
            pay_all(paid, union, words, fee)
    control[NEXT] = control[STOP]
    return DONE


def _gather(
    tx: Any,
    in_start: Any,
    in_coin: Any,
    state: Any,
    cells: Any,
    ranks: Any,
    units: Any,
    sums: Any,
    rank_of: Any,
    words: Any,
) -> Any:
    """Spend the traced inputs: how many labels they carry; fills the ranks in order, and the running sums."""
    low: Any = np.int64(1 << 62)
    high: Any = np.int64(-1)
    for place in range(in_start[tx], in_start[tx + 1]):
        coin = in_coin[place]
        if coin >= 0 and state[coin] == FOLLOWED:
            begin = cells[CELL * np.int64(coin)]
            for part in range(begin, begin + cells[CELL * np.int64(coin) + COUNT]):
                rank = np.int64(ranks[part])
                sums[rank] += units[part]
                words[rank >> 6] = 1
                low, high = min(low, rank), max(high, rank)
            state[coin] = 0
    found, upto = np.int64(0), np.int64(0)
    for word in range(low >> 6, (high >> 6) + 1):
        if words[word]:
            words[word] = 0
            for rank in range(max(low, word << 6), min(high, (word << 6) + 63) + 1):  # type: ignore[assignment]
                here = sums[rank]
                if here:
                    upto += here
                    sums[rank] = 0
                    sums[found], rank_of[found] = upto, rank
                    found += 1
    return found


gather: Any = small(_gather)


def _give(share: Any, sums: Any, rank_of: Any, found: Any, used: Any, ranks: Any, units: Any) -> Any:
    """Take a share from what is left of the labels, as running sums; returns the end of the list that it makes."""
    rest = sums[found - 1]
    before = np.int64(0)
    if share == rest:
        for place in range(found):
            if sums[place] != before:
                ranks[used], units[used] = rank_of[place], sums[place] - before
                used += 1
            before = sums[place]
            sums[place] = 0
        return used
    inverse = 1.0 / np.float64(rest)
    for place in range(found):
        taken = over(share, sums[place], rest, inverse)
        sums[place] -= taken
        if taken != before:
            ranks[used], units[used] = rank_of[place], taken - before
            used += 1
        before = taken
    return used


give: Any = small(_give)


def _share_out(
    tx: Any,
    out_start: Any,
    out_amount: Any,
    whole: Any,
    sums: Any,
    rank_of: Any,
    found: Any,
    hop: Any,
    lists: Any,
    control: Any,
    of: Any,
) -> None:
    """Give every output of a transaction its share; what is left goes to the fee."""
    cells, ranks, units = lists
    whose, state, fee = of
    tainted, used = sums[found - 1], control[USED]
    live, born = control[LIVE], 0
    inverse = 1.0 / np.float64(whole)
    upto, bound = np.int64(0), np.int64(0)
    for out in range(out_start[tx], out_start[tx + 1]):
        upto += out_amount[out]
        reached = over(tainted, upto, whole, inverse)
        share = reached - bound
        bound = reached
        if share:
            cell = CELL * np.int64(out)
            cells[cell] = used
            used = give(share, sums, rank_of, found, used, ranks, units)
            cells[cell + COUNT] = used - cells[cell]
            born += settle(out, hop, share, live, control, whose, state, cells, cell + HOP)
    before = np.int64(0)
    for place in range(found):
        fee[rank_of[place]] += sums[place] - before
        before = sums[place]
        sums[place] = 0
    control[LIVE] += born
    control[USED] = used


share_out: Any = small(_share_out)


def haircut(lent_at: Any, control_at: Any) -> Any:
    """Spread what is traced in proportion, then over the labels, by running sums (see `haircuts`)."""
    control, lent, whose, state, _ = lent_of(lent_at, control_at)
    heights, in_start, out_start, in_coin, out_amount, total = graph_of(lent, control)
    cells, ranks, units = lists_of(lent, control)
    labels = control[LABELS]
    fee, fee_rows = int64s(lent, FEE, labels), int64s(lent, FEE_ROWS, 3 * control[FEES_ROOM])
    sums, rank_of, words = int64s(lent, SUMS, labels), int64s(lent, SEEN, labels), words_of(lent, MASKS, control[WORDS])
    for tx in range(control[NEXT], control[STOP]):
        parts, hop, gone = claim(tx, in_start, in_coin, state, cells, lent)
        if hop < 0:
            continue
        needed = (out_start[tx + 1] - out_start[tx]) * min(parts, labels)
        if control[USED] + needed > control[ROOM_AT]:
            control[NEXT], control[NEEDED] = tx, needed
            return ROOM
        if heights[tx] != control[HEIGHT] and not flush(heights[tx], control, fee, fee_rows):
            control[NEXT] = tx
            return FEES
        found = gather(tx, in_start, in_coin, state, cells, ranks, units, sums, rank_of, words)
        control[TRACED] += 1
        control[LIVE] -= gone
        lists, of = (cells, ranks, units), (whose, state, fee)
        share_out(tx, out_start, out_amount, total[tx], sums, rank_of, found, hop + 1, lists, control, of)
    control[NEXT] = control[STOP]
    return DONE


def _line_start(tx: Any, how: Any, in_start: Any, in_coin: Any, state: Any, cells: Any, units: Any, total: Any) -> Any:
    """Where in a transaction's line its labelled units begin, if they lie together."""
    if how != CLEAN_FIRST:
        return np.int64(0)
    at = np.int64(total[tx])
    for place in range(in_start[tx], in_start[tx + 1]):
        coin = in_coin[place]
        if coin >= 0 and state[coin] == FOLLOWED:
            begin = cells[CELL * np.int64(coin)]
            for part in range(begin, begin + cells[CELL * np.int64(coin) + COUNT]):
                at -= units[part]
    return at


line_start: Any = small(_line_start)


def _cut(
    low: Any,
    high: Any,
    rank: Any,
    sink: Any,
    sink_end: Any,
    out: Any,
    end: Any,
    used: Any,
    how: Any,
    order: Any,
    out_amount: Any,
    lists: Any,
    offset: Any,
    fee: Any,
) -> tuple[Any, Any, Any, Any]:
    """Cut labelled units, which lie in the line from `low` to `high`, into the sinks from `sink` on."""
    cells, ranks, units = lists
    while low < high:
        while sink < end and sink_end <= low:
            sink += 1
            if sink < end:
                out = order[sink] if how == TIHO else np.int64(sink)
                sink_end += out_amount[out]
                cells[CELL * out + COUNT] = 0
        if sink >= end:
            fee[rank] += high - low
            break
        upto = min(high, sink_end)
        at = low - (sink_end - out_amount[out])
        count = cells[CELL * out + COUNT]
        if count and ranks[used - 1] == rank and offset[used - 1] + units[used - 1] == at:
            units[used - 1] += upto - low
        else:
            if not count:
                cells[CELL * out] = used
            ranks[used], offset[used], units[used] = rank, at, upto - low
            cells[CELL * out + COUNT] = count + 1
            used += 1
        low = upto
    return sink, sink_end, out, used


cut: Any = small(_cut)


def _lay(
    tx: Any,
    how: Any,
    line: Any,
    used: Any,
    in_start: Any,
    out_start: Any,
    in_coin: Any,
    in_amount: Any,
    state: Any,
    order: Any,
    out_amount: Any,
    lists: Any,
    offset: Any,
    fee: Any,
) -> Any:
    """Spend the traced inputs of a transaction, part by part in the order of its line; returns the end of the lists."""
    cells, ranks, units = lists
    first, last, end = in_start[tx], in_start[tx + 1], np.int64(out_start[tx + 1])
    before, sink, sink_end, out = np.int64(0), np.int64(out_start[tx]) - 1, np.int64(0), np.int64(0)
    for number in range(last - first):
        place = last - 1 - number if how == LIFO else first + number
        coin = in_coin[place]
        if coin >= 0 and state[coin] == FOLLOWED:
            begin, count = cells[CELL * np.int64(coin)], cells[CELL * np.int64(coin) + COUNT]
            for turn in range(count):
                part = begin + (count - 1 - turn if how == LIFO else turn)
                rank, length = ranks[part], units[part]
                if how == FIFO:
                    low = before + offset[part]
                elif how == LIFO:
                    low = before + in_amount[place] - offset[part] - length
                else:
                    low = line
                line += length
                sink, sink_end, out, used = cut(
                    low, low + length, rank, sink, sink_end, out, end, used, how, order, out_amount, lists, offset, fee
                )
            state[coin] = 0
        before += in_amount[place]
    return used


lay: Any = small(_lay)


def tiling(lent_at: Any, control_at: Any) -> Any:
    """Cut the line of labelled units into the sinks; WORDS says by which method."""
    control, lent, whose, state, _ = lent_of(lent_at, control_at)
    heights, in_start, out_start, in_coin, out_amount, total = graph_of(lent, control)
    cells, ranks, units = lists_of(lent, control)
    how, lists = control[WORDS], (cells, ranks, units)
    in_amount, order = int64s(lent, IN_AMOUNT, control[INS]), int64s(lent, ORDER, control[OUTS])
    offset, fee = int64s(lent, OFFSET, control[ROOM_AT]), int64s(lent, FEE, control[LABELS])
    fee_rows = int64s(lent, FEE_ROWS, 3 * control[FEES_ROOM])
    for tx in range(control[NEXT], control[STOP]):
        parts, hop, gone = claim(tx, in_start, in_coin, state, cells, lent)
        if hop < 0:
            continue
        needed = out_start[tx + 1] - out_start[tx] + parts
        if control[USED] + needed > control[ROOM_AT]:
            control[NEXT], control[NEEDED] = tx, needed
            return ROOM
        if heights[tx] != control[HEIGHT] and not flush(heights[tx], control, fee, fee_rows):
            control[NEXT] = tx
            return FEES
        line = line_start(tx, how, in_start, in_coin, state, cells, units, total)
        control[USED] = lay(
            tx,
            how,
            line,
            control[USED],
            in_start,
            out_start,
            in_coin,
            in_amount,
            state,
            order,
            out_amount,
            lists,
            offset,
            fee,
        )
        control[TRACED] += 1
        control[LIVE] -= gone
        live, born = control[LIVE], 0
        for one in range(out_start[tx], out_start[tx + 1]):
            mass = np.int64(0)
            cell = CELL * np.int64(one)
            for part in range(cells[cell], cells[cell] + cells[cell + COUNT]):
                mass += units[part]
            if mass:
                born += settle(one, hop + 1, mass, live, control, whose, state, cells, cell + HOP)
        control[LIVE] += born
    control[NEXT] = control[STOP]
    return DONE
