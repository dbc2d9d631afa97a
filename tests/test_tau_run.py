"""A tree in the exact format of TAU 2022 Mobile, made from the official split names, trains and evaluates."""

import csv
import gzip
import json

import numpy as np
import pytest
import soundfile

from asc_tf.train import main as train

pytestmark = pytest.mark.slow


@pytest.fixture
def tree(shared, tmp_path):
    """24-bit, 44.1 kHz, mono, one second a file: some hundred names of the 5 % split and of the test list."""
    root = tmp_path / "TAU-urban-acoustic-scenes-2022-mobile-development"
    (root / "audio").mkdir(parents=True)
    (root / "evaluation_setup").mkdir()
    meta = []
    for name, step in (("split5", 35), ("test", 97)):
        with gzip.open(shared / f"data/dcase2024/{name}.csv.gz", "rt") as lines:
            rows = list(csv.DictReader(lines, delimiter="\t"))[::step]
        write(root / f"evaluation_setup/{name}.csv", ["filename", "scene_label"], [tuple(r.values()) for r in rows])
        meta += rows
    for row in meta:
        scene, city, location, _, _, device = row["filename"].removeprefix("audio/").removesuffix(".wav").split("-")
        row |= {"identifier": f"{city}-{location}", "source_label": device}
        rng = np.random.default_rng([len(scene), len(row["filename"])])
        tone = np.sin(np.arange(44100) * 0.02 * (1 + sum(map(ord, scene)) % 37))
        wave = 0.1 * tone + 0.03 * rng.standard_normal(44100)
        soundfile.write(root / row["filename"], wave, 44100, subtype="PCM_24")
    write(root / "meta.csv", list(meta[0]), [tuple(row.values()) for row in meta])
    return root


def write(file, header, rows):
    file.write_text("\n".join("\t".join(row) for row in [header, *rows]) + "\n")


def test_it_trains_and_is_judged_by_device_and_city(tree, tiny, tmp_path, capsys):
    recipe = tiny.parent / "tiny_teacher.toml"
    options = [f'dataset={{name="tau", root="{tree}", split="split5"}}', f"data.prepared_folder={tmp_path}/prepared"]
    sets = [word for option in [*options, "train.epochs=2"] for word in ("--set", option)]
    assert train([str(recipe), "--out", str(tmp_path / "run"), *sets]) == 0
    report = json.loads((tmp_path / "run/metrics.json").read_text())["float"]
    assert sorted(report["by_device"]) == ["a", "b", "c", "s1", "s2", "s3", "s4", "s5", "s6"]
    assert {"barcelona", "vienna", "london"} <= set(report["by_city"])
    unseen = sum(report["by_device"][device]["clips"] for device in ("s4", "s5", "s6"))
    assert report["unseen devices"]["clips"] == unseen > 0
    assert report["unseen devices"]["clips"] + report["seen devices"]["clips"] == report["clips"]
    assert "seen cities" in report
    assert (tmp_path / "run/labels.txt").read_text().split()[3] == "metro_station"
    assert "device s6" in capsys.readouterr().out
