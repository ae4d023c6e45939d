"""Compile all kernels ahead: ``python -m sknn.warmup``."""

import argparse
import time

from .._compiled.cache import cache_directory
from . import warmup


def main():
    """Read the command line and compile."""
    parser = argparse.ArgumentParser(
        prog="python -m sknn.warmup",
        description="Compile all kernels and keep them in the compile cache.",
    )
    parser.add_argument(
        "--dtypes", nargs="+", choices=["float32", "float64"], default=["float32", "float64"]
    )
    dtypes = parser.parse_args().dtypes
    started = time.perf_counter()
    warmup(dtypes)
    print(
        f"compiled for {' and '.join(dtypes)} in {time.perf_counter() - started:.1f} s; kept in {cache_directory()}"
    )


if __name__ == "__main__":
    main()
