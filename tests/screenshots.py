"""The pictures of the README: what a terminal shows, drawn as SVG.

    python -m tests.screenshots [NAME...]

Owns: the scenes, and drawing a terminal's screen. A scene runs the real shell behind a
pseudo-terminal, types at it, and draws the screen as it is then into docs/images. pyte (in the
extra `dev`) says what a terminal would show.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pexpect
import pyte

import eau2
from tests.processes import ROOT, environment

IMAGES = ROOT / "docs" / "images"
CELL_W, CELL_H, MARGIN = 8.4, 16.5, 14.0
FONT = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
BACK, FORE = "#1b1f24", "#d6dbe1"
COLOURS = {
    "black": "#3b4048",
    "red": "#f47067",
    "green": "#8ddb8c",
    "brown": "#e0b450",
    "blue": "#6cb6ff",
    "magenta": "#dcbdfb",
    "cyan": "#76d9e6",
    "white": "#d6dbe1",
    "brightblack": "#7d8590",
    "brightred": "#ff938a",
    "brightgreen": "#b4f1b4",
    "brightbrown": "#f2cc60",
    "brightblue": "#96d0ff",
    "brightmagenta": "#e9d7ff",
    "brightcyan": "#b3f0ff",
    "brightwhite": "#ffffff",
}
WAIT_S = 30.0
_PLACES = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
"""Where the bits of a Braille character are: (column, row)."""


class _Screen(pyte.Screen):
    """A screen that answers what a program asks its terminal, such as where the cursor is."""

    def __init__(self, columns: int, lines: int, child: Any) -> None:
        super().__init__(columns, lines)
        self._child = child

    def write_process_input(self, data: str) -> None:
        """Send the answer."""
        self._child.send(data)


class Terminal:
    """A program behind a pseudo-terminal, and the screen it has drawn."""

    def __init__(self, child: Any, columns: int, lines: int) -> None:
        self.screen = _Screen(columns, lines, child)
        self._stream = pyte.ByteStream(self.screen)
        self._child = child

    def type(self, keys: str) -> None:
        """Press keys, one after the other as a person does."""
        for key in keys:
            self._child.send(key)
            self.look(0.01)

    def look(self, seconds: float) -> None:
        """Take in what is drawn meanwhile."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                self._stream.feed(self._child.read_nonblocking(65536, timeout=min(left, 0.1)))
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                return

    def until(self, text: str) -> None:
        """Wait until the screen shows `text`. AssertionError when it does not in time."""
        end = time.monotonic() + WAIT_S
        while not any(text in line for line in self.screen.display):
            shown = "\n".join(self.screen.display)
            assert time.monotonic() < end, f"{text!r} is not shown:\n{shown}"
            self.look(0.05)
        self.look(0.3)


@dataclass(frozen=True)
class Scene:
    """A picture: its name, the size of the window, what is run, and what is done at it."""

    name: str
    columns: int
    lines: int
    command: tuple[str, ...]
    play: Callable[[Terminal], None]


def picture(screen: pyte.Screen, title: str) -> str:
    """The screen as an SVG document, without the empty lines at its end."""
    rows = [screen.buffer[y] for y in range(screen.lines)]
    used = max((y for y, text in enumerate(screen.display) if text.strip()), default=0) + 1
    width = 2 * MARGIN + CELL_W * screen.columns
    height = 2 * MARGIN + CELL_H * used
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}"'
        f' width="{width:g}" height="{height:g}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="100%" height="100%" rx="8" fill="{BACK}"/>',
        f'<g font-family="{FONT}" font-size="14" xml:space="preserve">',
    ]
    for y, row in enumerate(rows[:used]):
        for x, text, style in _runs(row, screen.columns):
            parts += _drawn(x, y, text, style)
    return "\n".join([*parts, "</g>", "</svg>", ""])


def _runs(row: Any, columns: int) -> Iterator[tuple[int, str, Any]]:
    """The stretches of one style of a line: (column, text, style)."""
    start = 0
    while start < columns:
        style = _style(row[start])
        end = start
        text = ""
        while end < columns and _style(row[end]) == style:
            text += row[end].data
            end += 1
        yield start, text, style
        start = end


def _style(cell: Any) -> tuple[str, str, bool, bool]:
    fore, back = _colour(cell.fg, FORE), _colour(cell.bg, BACK)
    if cell.reverse:
        fore, back = back, fore
    return fore, back, bool(cell.bold), bool(cell.underscore)


def _colour(name: str, default: str) -> str:
    if name == "default":
        return default
    return COLOURS.get(name, f"#{name}")


def _drawn(x: int, y: int, text: str, style: Any) -> Iterator[str]:
    fore, back, bold, underlined = style
    left, top = MARGIN + x * CELL_W, MARGIN + y * CELL_H
    width = CELL_W * len(text)
    if back != BACK:
        yield (
            f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{CELL_H:g}" fill="{back}"/>'
        )
    for number, sign in enumerate(text):
        if "\u2800" < sign <= "\u28ff":
            yield from _dots(left + number * CELL_W, top, ord(sign) - 0x2800, fore)
    text = "".join(" " if "\u2800" <= sign <= "\u28ff" else sign for sign in text)
    if not text.strip():
        return
    looks = (' font-weight="bold"' if bold else "") + (
        ' text-decoration="underline"' if underlined else ""
    )
    yield (
        f'<text x="{left:g}" y="{top + 0.75 * CELL_H:g}" fill="{fore}" textLength="{width:g}"'
        f"{looks}>{escape(text)}</text>"
    )


def _dots(left: float, top: float, bits: int, colour: str) -> Iterator[str]:
    """A Braille character as dots: not every font has them, or as wide as its letters."""
    for bit, (column, row) in enumerate(_PLACES):
        if bits >> bit & 1:
            x, y = left + (0.25 + 0.5 * column) * CELL_W, top + (0.125 + 0.25 * row) * CELL_H
            yield f'<circle cx="{x:g}" cy="{y:g}" r="1.5" fill="{colour}"/>'


def drawn(scene: Scene, folder: str) -> str:
    """The picture of a scene that is played in that folder."""
    child = pexpect.spawn(
        sys.executable,
        ["-m", "eau2", *scene.command],
        cwd=folder,
        env=environment(
            TERM="xterm-256color",
            COLORTERM="truecolor",
            XDG_STATE_HOME=os.path.join(folder, "state"),
            XDG_CONFIG_HOME=os.path.join(folder, "config"),
        ),
        dimensions=(scene.lines, scene.columns),
        timeout=WAIT_S,
    )
    terminal = Terminal(child, scene.columns, scene.lines)
    try:
        scene.play(terminal)
    finally:
        child.close(force=True)
    return picture(terminal.screen, f"eau2: {scene.name}")


def _query(terminal: Terminal) -> None:
    terminal.until("eau2")
    terminal.type(
        "SELECT station, sum(a) AS arrived, max(a) AS busiest\rFROM df\rGROUP BY station;\r"
    )
    terminal.until("3 rows")


def _error(terminal: Terminal) -> None:
    terminal.until("eau2")
    terminal.type("SELECT station, sum(rian) FROM df GROUP BY station;\r")
    terminal.until("Columns here")


def _completion(terminal: Terminal) -> None:
    terminal.until("eau2")
    terminal.look(2.0)
    terminal.type("SELECT station, sum(d.a) FROM df d WHERE d.")
    terminal.until("rain")


def _chart(terminal: Terminal) -> None:
    terminal.until("eau2")
    terminal.type("\\format csv\rSELECT day, sum(a) AS arrived FROM df GROUP BY day LIMIT 2;\r")
    terminal.until("2026-05-05,")
    terminal.type("SELECT day, sum(a) AS arrived FROM df GROUP BY day;\r")
    terminal.until("2026-05-23,")
    terminal.type("\f\\chart\r")
    terminal.until("              day")


def _progress(terminal: Terminal) -> None:
    terminal.until("eau2")
    terminal.type(
        "SELECT kind, sum(sin(fare) * cos(id)), count(DISTINCT fare) FROM trips GROUP BY kind;\r"
    )
    terminal.until("##")


SCENES = (
    Scene("query", 76, 20, (), _query),
    Scene("error", 76, 12, (), _error),
    Scene("completion", 76, 14, (), _completion),
    Scene("chart", 90, 40, (), _chart),
    Scene("progress", 104, 10, (), _progress),
)


def prepare(folder: Path, *, large: bool = True) -> None:
    """A store in its default place in the folder, with a small frame and a large one."""
    with eau2.connect(folder / ".eau2") as connection:
        connection.put("df", ROOT / "examples" / "df.csv")
        if not large:
            return
        connection.sql("SET chunk_rows = 250000")
        connection.sql(
            "CREATE TABLE trips AS SELECT i AS id, i * 7919 % 1000003 AS fare, i % 7 AS kind"
            " FROM range(12000000) t(i)"
        )


def main(names: list[str]) -> int:
    """Draw the scenes that are named, or all."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="eau2-") as folder:
        prepare(Path(folder))
        for scene in SCENES:
            if not names or scene.name in names:
                (IMAGES / f"{scene.name}.svg").write_text(drawn(scene, folder), "utf-8")
                print(scene.name, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
