/* Haircut with many labels as one loop in C: append-only lists of (label, units) per coin, transactions in chain order.
   Returns the number of list entries used, or -1 when `room` is too small. */

#include <stdint.h>
#include <string.h>

static inline int64_t over(int64_t a, int64_t b, int64_t total, double inverse) {
    int64_t quotient = (int64_t)((double)a * (double)b * inverse);
    int64_t left = (int64_t)((uint64_t)a * (uint64_t)b - (uint64_t)quotient * (uint64_t)total);
    if (left < 0) quotient--;
    else if (left >= total) quotient++;
    return quotient;
}

int64_t haircut(int64_t txs, const int32_t *in_start, const int32_t *out_start, const int32_t *in_coin,
                const int64_t *out_amount, const int64_t *total, const int32_t *source, int64_t labels,
                int32_t *start, int32_t *count, int32_t *label, int64_t *units, int64_t room,
                int64_t *mass, int64_t *left, int32_t *present, int64_t *fees) {
    int64_t used = 0;
    for (int64_t tx = 0; tx < txs; tx++) {
        int64_t traced = 0;
        for (int32_t i = in_start[tx]; i < in_start[tx + 1]; i++) {
            int32_t coin = in_coin[i];
            if (coin < 0 || !count[coin]) continue;
            for (int32_t p = start[coin]; p < start[coin] + count[coin]; p++) mass[label[p]] += units[p];
            count[coin] = 0;
            traced = 1;
        }
        if (traced) {
            int64_t found = 0, sum = 0;
            for (int64_t l = 0; l < labels; l++)
                if (mass[l]) {
                    sum += mass[l];
                    mass[l] = 0;
                    left[found] = sum;
                    present[found++] = (int32_t)l;
                }
            if (used + (out_start[tx + 1] - out_start[tx]) * found > room) return -1;
            int64_t whole = total[tx], upto = 0, bound = 0;
            double inverse = 1.0 / (double)whole;
            for (int32_t out = out_start[tx]; out < out_start[tx + 1]; out++) {
                upto += out_amount[out];
                int64_t reached = over(sum, upto, whole, inverse), share = reached - bound, before = 0;
                bound = reached;
                if (!share) continue;
                int64_t rest = left[found - 1];
                double part = 1.0 / (double)rest;
                start[out] = (int32_t)used;
                for (int64_t f = 0; f < found; f++) {
                    int64_t taken = over(share, left[f], rest, part);
                    left[f] -= taken;
                    if (taken != before) {
                        label[used] = present[f];
                        units[used++] = taken - before;
                    }
                    before = taken;
                }
                count[out] = (int32_t)(used - start[out]);
            }
            for (int64_t f = 0, before = 0; f < found; f++) {
                fees[present[f]] += left[f] - before;
                before = left[f];
            }
        }
        for (int32_t out = out_start[tx]; out < out_start[tx + 1]; out++)
            if (source[out] >= 0) { /* the label gets what has none */
                int64_t rest = out_amount[out], from = start[out], n = count[out];
                if (used + n + 1 > room) return -1;
                start[out] = (int32_t)used;
                int placed = 0;
                for (int64_t p = from; p < from + n; p++) rest -= units[p];
                for (int64_t p = from; p < from + n; p++) {
                    if (!placed && rest && label[p] > source[out]) {
                        label[used] = source[out], units[used++] = rest, placed = 1;
                    }
                    label[used] = label[p], units[used++] = units[p];
                }
                if (!placed && rest) label[used] = source[out], units[used++] = rest;
                count[out] = (int32_t)(used - start[out]);
            }
    }
    return used;
}
