"""python -m tests.greetings DIRECTORY [--seed N] [--count N]: makes the greetings as WAV files, and index.json."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from tests.greetings.files import COUNT, SEED, make_files

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("directory", type=Path)
parser.add_argument("--seed", type=int, default=SEED)
parser.add_argument("--count", type=int, default=COUNT)
options = parser.parse_args()
made = make_files(options.directory, options.seed, options.count)
print(f"{len(made)} greetings;", dict(Counter(one.voice.split(" ")[0] for one in made if one.voice)))
