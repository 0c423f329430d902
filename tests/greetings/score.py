"""Who was taken for whom: the confusion matrix as a table and as a picture, and the goals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TRUTHS = ("human", "machine", "fax", "unknown")
WORDS = {"machine_start": "machine", "machine_end_beep": "machine", "machine_end_silence": "machine"}
CELL, LEFT, TOP = 74, 150, 70


@dataclass(frozen=True)
class Judged:
    """What was said of one greeting, after how many ms. `beep_off_s`: how long after the beep's end it was said that
    there was one, None if that was not said."""

    kind: str
    truth: str
    said: str
    at_ms: int
    has_beep: bool = False
    beep_off_s: float | None = None

    @property
    def called(self) -> str:
        return WORDS.get(self.said, self.said)


def matrix(judged: Iterable[Judged]) -> dict[str, Counter[str]]:
    rows: dict[str, Counter[str]] = {}
    for one in judged:
        rows.setdefault(one.kind, Counter())[one.called] += 1
    return rows


def table(judged: Sequence[Judged]) -> str:
    """Markdown: a row for each kind of greeting."""
    lines = [f"| is, said | {' | '.join(TRUTHS)} |", f"| --- |{' --- |' * len(TRUTHS)}"]
    for kind, counts in matrix(judged).items():
        lines.append(f"| {kind} | {' | '.join(str(counts[word] or '') for word in TRUTHS)} |")
    return "\n".join(lines)


def summary(judged: Sequence[Judged]) -> dict[str, float]:
    """Percentages of the goals, and the median time in which people and machines were decided on."""
    people = [one for one in judged if one.truth in ("human", "machine")]
    humans = [one for one in people if one.truth == "human"]
    beeps = [one for one in judged if one.has_beep]
    found = [one for one in beeps if one.beep_off_s is not None and abs(one.beep_off_s) <= 0.5]
    times = sorted(one.at_ms for one in people)
    made = {
        "right": 100 * sum(one.called == one.truth for one in people) / len(people),
        "humans called machines": 100 * sum(one.called == "machine" for one in humans) / len(humans),
        "decided within 4 s": 100 * sum(one.at_ms <= 4000 for one in people) / len(people),
        "median ms": times[len(times) // 2],
    }
    return made | ({"beeps": 100 * len(found) / len(beeps)} if beeps else {})


def draw(path: Path, pictures: Mapping[str, Sequence[Judged]]) -> None:
    """One matrix beside the other; the darker, the larger the share of its row."""
    width = len(pictures) * (LEFT + CELL * len(TRUTHS) + 20)
    height = TOP + 36 * max(len(matrix(judged)) for judged in pictures.values()) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
        'font-size="12"><rect width="100%" height="100%" fill="white"/>'
    ]
    for number, (title, judged) in enumerate(pictures.items()):
        parts += _matrix(number * (LEFT + CELL * len(TRUTHS) + 20), title, judged)
    path.write_text("\n".join([*parts, "</svg>"]) + "\n")


def _matrix(x: int, title: str, judged: Sequence[Judged]) -> list[str]:
    parts = [f'<text x="{x + LEFT}" y="22" font-size="15">{title}</text>']
    truth_of = {one.kind: one.truth for one in judged}
    for column, word in enumerate(TRUTHS):
        parts.append(
            f'<text x="{x + LEFT + CELL * column + CELL // 2}" y="{TOP - 14}" text-anchor="middle">{word}</text>'
        )
    for row, (kind, counts) in enumerate(matrix(judged).items()):
        y = TOP + 36 * row
        parts.append(f'<text x="{x + LEFT - 8}" y="{y + 22}" text-anchor="end">{kind}</text>')
        for column, word in enumerate(TRUTHS):
            share = counts[word] / counts.total()
            colour = "46,125,50" if word == truth_of[kind] else "198,40,40"
            parts.append(
                f'<rect x="{x + LEFT + CELL * column}" y="{y}" width="{CELL - 2}" height="34" '
                f'fill="rgb({colour})" fill-opacity="{0.06 + 0.84 * share if counts[word] else 0.03:.2f}"/>'
            )
            if counts[word]:
                middle = x + LEFT + CELL * column + CELL // 2 - 1
                ink = "white" if share > 0.5 else "black"
                parts.append(f'<text x="{middle}" y="{y + 22}" text-anchor="middle" fill="{ink}">{counts[word]}</text>')
    return parts
