"""Run the examples and save the last figure of each to images/, for the gallery in README.md.

``python examples/make_pictures.py [word in a file's name ...]``
"""

import runpy
import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from PIL import Image

FOLDER = Path(__file__).parent
WIDTH = 900
MOST_BYTES = 60 * 1024


def make_picture(example):
    """Run an example and save its last figure, with few colors, because these take less space."""
    runpy.run_path(str(example), run_name="__main__")
    path = FOLDER / "images" / f"{example.stem}.png"
    plt.gcf().savefig(path, dpi=100)
    plt.close("all")
    with Image.open(path) as picture:
        small = picture.convert("RGB")
    small.thumbnail((WIDTH, WIDTH))
    for n_colors in (256, 128):
        small.quantize(n_colors, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size <= MOST_BYTES:
            break
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    mpl.use("Agg")
    plt.show = lambda: None
    (FOLDER / "images").mkdir(exist_ok=True)
    for example in sorted(FOLDER.glob("plot_*.py")):
        if all(word not in example.name for word in sys.argv[1:]) and sys.argv[1:]:
            continue
        make_picture(example)
