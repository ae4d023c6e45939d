"""Compile kernels ahead of the first fit: ``python -m sknn.warmup``."""

import argparse
import time

from .._compiled.cache_folder import describe_cache
from . import CHOICES, warmup

_OPTIONS = {  # arguments of warmup, with what the option is called
    "dtypes": "--dtype",
    "activations": "--activation",
    "losses": "--loss",
    "solvers": "--solver",
}


def main():
    """Read the command line, compile with a line for every step, and print how long it took."""
    parser = argparse.ArgumentParser(
        prog="python -m sknn.warmup",
        description="Compile kernels and keep them in the compile cache. Each option limits what "
        "is compiled; without options, everything is.",
    )
    for parameter, option in _OPTIONS.items():
        choices = CHOICES[parameter]
        parser.add_argument(
            option,
            dest=parameter,
            nargs="+",
            choices=choices,
            default=choices,
            metavar="NAME",
            help=f"{parameter} to compile: {', '.join(choices)} (all by default)",
        )
    chosen = vars(parser.parse_args())
    started = time.perf_counter()
    warmup(**chosen, verbose=True)
    seconds = time.perf_counter() - started
    dtypes = " and ".join(chosen["dtypes"])
    print(f"compiled for {dtypes} in {seconds:.1f} s; cache: {describe_cache()}")


if __name__ == "__main__":
    main()
