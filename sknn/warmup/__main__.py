"""Compile all kernels ahead of the first fit: ``python -m sknn.warmup``."""

import argparse
import time

from .._compiled.cache_folder import describe_cache
from . import warmup


def main():
    """Read the command line, compile, and print how long it took."""
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
    seconds = time.perf_counter() - started
    print(f"compiled for {' and '.join(dtypes)} in {seconds:.1f} s; cache: {describe_cache()}")


if __name__ == "__main__":
    main()
