"""What faults are survived? Each row injects one kind of them and counts how the cases end.

*Survived*: the documented error, or the right result. *Failed*: another error, a crash or a
deadlock. *Silently wrong*: the end came without a word, and the result is not finite or differs.
*Lost*: a fitted state is gone that was good before. All but the first should be 0.

Everything takes hours on two cores; ``--quick`` tries a few cases of every row, and ``--row``
selects some. With ``--save``, other rows are taken over from the latest results, with the day on
which they were measured. dask and ray take part if they are installed. As root on Linux, other
users and full disks are tried too. Row 23 runs the whole suite of tests, or ``--tests`` some, in a
compile cache of its own.
"""

import datetime
import json
import sys
import time

from fault_rows import cache, estimators, networks, parallel, training
from fault_rows.tally import FAILED, Tally
from report import RESULTS, conclude, option_parser, table

ROWS = {
    1: estimators.row_1,
    2: estimators.row_2,
    3: training.row_3,
    4: networks.row_4,
    5: training.row_5,
    6: training.row_6,
    7: training.row_7,
    8: parallel.row_8,
    9: parallel.row_9,
    10: parallel.row_10,
    11: cache.row_11,
    12: cache.row_12,
    13: parallel.row_13,
    14: training.row_14,
    15: networks.row_15,
    16: training.row_16,
    17: estimators.row_17,
    18: estimators.row_18,
    19: networks.row_19,
    20: estimators.row_20,
    21: estimators.row_21,
    22: training.row_22,
    23: training.row_23,
    24: networks.row_24,
    25: networks.row_25,
}
COLUMNS = ("tried", "survived", "failed", "silently wrong", "lost")


def measure(options):
    """Return ``{number of the row: its counts}``."""
    results = {}
    for number in options.row or ROWS:
        function = ROWS[number]
        tally = Tally(function.__doc__.strip().rstrip("."))
        tally.notes += ["a few cases only, --quick"] if options.quick else []
        print(f"row {number}: {tally.title} ...", flush=True)
        started = time.perf_counter()
        try:
            function(tally, options)
        except Exception as error:  # the other rows are still worth counting
            tally.add("the row as a whole", FAILED, repr(error))
        today = datetime.date.today().isoformat()
        results[number] = {**tally.as_dict(), "measured": today}
        print(f"  {tally.tried} tried in {time.perf_counter() - started:.0f} s", flush=True)
    return results


def saved_before():
    """Return the rows of the latest results."""
    paths = sorted(RESULTS.glob("faults-*.json"))
    if not paths:
        return {}
    return {
        int(number): row for number, row in json.loads(paths[-1].read_text())["results"].items()
    }


def tables(results):
    rows = [
        [number, result["row"], *(result[column] for column in COLUMNS), result["measured"]]
        for number, result in results.items()
    ]
    sums = [sum(result[column] for result in results.values()) for column in COLUMNS]
    rows.append(["", "all", *sums, ""])
    faults = [
        f"- row {number}: {text}"
        for number, result in results.items()
        for text in (*result["faults"], *result["notes"])
    ]
    return "\n".join([table(["row", "fault", *COLUMNS, "measured"], rows), "", *faults])


def main():
    parser = option_parser(__doc__, rounds=5)
    parser.add_argument("--quick", action="store_true", help="a few cases of every row")
    parser.add_argument(
        "--row", type=int, action="append", choices=ROWS, help="only this row; may be repeated"
    )
    parser.add_argument("--processes", type=int, default=16, help="that start at once in row 13")
    parser.add_argument("--trials", type=int, default=3000, help="of each kind in row 25")
    parser.add_argument("--tests", nargs="+", default=["tests", "sknn"], help="of row 23")
    options = parser.parse_args()
    results = measure(options)
    is_clean = all(result["survived"] == result["tried"] for result in results.values())
    if options.save:
        results = dict(sorted((saved_before() | results).items()))
    conclude(options, "faults", results, tables(results))
    return int(not is_clean)


if __name__ == "__main__":
    sys.exit(main())
