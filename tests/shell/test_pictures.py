"""The pictures of the README show what the shell shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.screenshots import IMAGES, SCENES, Scene, drawn, prepare

QUICK = ("error", "completion")


@pytest.mark.parametrize("scene", [s for s in SCENES if s.name in QUICK], ids=lambda s: s.name)
def test_a_picture_is_true(scene: Scene, tmp_path: Path) -> None:
    prepare(tmp_path, large=False)
    kept = (IMAGES / f"{scene.name}.svg").read_text("utf-8")
    assert drawn(scene, str(tmp_path)) == kept, "draw it anew: python -m tests.screenshots"


def test_every_picture_is_there() -> None:
    drawn = {path.stem for path in IMAGES.glob("*.svg")} - {"benchmarks"}
    assert drawn == {scene.name for scene in SCENES}
