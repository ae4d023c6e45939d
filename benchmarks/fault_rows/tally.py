"""How the cases of a row end."""

import traceback

SURVIVED = "survived"  # the documented error, or the right result
FAILED = "failed"  # another error, a crash, a deadlock: nobody is misled
WRONG = "silently wrong"  # ended without a word, with a result that is not finite or differs
LOST = "lost"  # a fitted state that was good before is gone


class Tally:
    """Counts of one row.

    Parameters
    ----------
    title : str
    """

    def __init__(self, title):
        self.title = title
        self.counts = dict.fromkeys((SURVIVED, FAILED, WRONG, LOST), 0)
        self.faults = []
        self.notes = []

    @property
    def tried(self):
        return sum(self.counts.values())

    def add(self, case, verdict=SURVIVED, why=""):
        """Count one case."""
        self.counts[verdict] += 1
        if verdict != SURVIVED:
            self.faults.append(f"{case}: {verdict}. {why}".rstrip())
            print("  ", self.faults[-1], flush=True)

    def require(self, case, is_right, verdict=WRONG, why=""):
        """Count one case that survived if it is right."""
        self.add(case, SURVIVED if is_right else verdict, why)

    def run(self, case, function, *arguments):
        """Count one case by the verdict that a function returns; None counts as survived."""
        try:
            verdict = function(*arguments)
        except Exception as error:
            self.add(case, FAILED, "".join(traceback.format_exception_only(error)).strip())
        else:
            self.add(case, verdict or SURVIVED)

    def as_dict(self):
        return {
            "row": self.title,
            "tried": self.tried,
            "survived": self.counts[SURVIVED],
            "failed": self.counts[FAILED],
            "silently wrong": self.counts[WRONG],
            "lost": self.counts[LOST],
            "faults": self.faults,
            "notes": self.notes,
        }
