"""Description of an int8 file: the challenge's counts beside those of the file, and limits by the challenge's."""

import json

import keras
import numpy as np
import pytest

from asc_tf import build
from asc_tf.complexity import main as complexity
from asc_tf.cost import challenge
from asc_tf.export.quantisation import convert, metadata, qat
from asc_tf.export.quantisation.to_tf_keras import to_tf_keras
from asc_tf.recipe import resolve
from asc_tf.runs.folder import RunFolder
from asc_tf.tflite import file as tflite_file


@pytest.fixture
def tree(run_of, small, int8_file):
    """Description of the small network's file."""
    return metadata.tree(run_of(), small(), int8_file, [])


def test_the_challenges_counts_stand_beside_the_files(tree, small, int8_file):
    weights = 72 + 72 + 64 + 24  # of four convolutions
    channels = 8 + 8 + 8 + 3  # each with gamma and beta, in the file with a bias of four bytes
    macs = 72 * 30 + 72 * 15 + 64 * 15 + 24 * 15 + 2 * channels  # a batch norm once, by rule T
    assert tree["challenge"] == {
        "parameters": weights + 2 * channels, "bytes": weights + 2 * channels, "macs": macs, "rule": "T",
    }  # fmt: skip
    assert tree["bytes"]["parameters"] == weights + 4 * channels
    assert tree["macs"] == 80 * 30 + 80 * 15 + 72 * 15 + 27 * 15
    *_, counted, file = metadata.format_lines(tree)
    assert "286 parameters, 286 bytes" in counted and "within the limits" in counted and "(rule T)" in counted
    assert f"{len(int8_file):,} bytes, 340 of them parameters as stored" in file and "(rule F)" in file


def test_limits_are_judged_by_the_challenges_counts(tree):
    baseline = {"parameters": 61_148, "bytes": 61_148, "macs": 29_419_156, "rule": "T"}
    # What the file of the baseline computes and stores, and more, does not count.
    stored = {"macs": 30_216_768, "bytes": tree["bytes"] | {"parameters": 128_001}}
    assert metadata.limit_warnings(tree | {"challenge": baseline} | stored) == []
    assert "within the limits" in metadata.format_lines(tree | {"challenge": baseline} | stored)[-2]
    over = tree | {"challenge": baseline | {"bytes": 128_001, "macs": 30_000_001}}
    warnings = metadata.limit_warnings(over)
    assert [warning.split(" are")[0] for warning in warnings] == ["128,001 bytes of parameters", "30,000,001 MACs"]
    assert "over the limits" in metadata.format_lines(over)[-2]


SMALL_MAMBA = "stem=[4,8], blocks=[[8,12],[12,16],[16,24]], pmbs=[[12,3]], pools=[2]"


@pytest.mark.parametrize(
    ("recipe", "override", "twice"),
    [
        ("cpjku2023_cp_mobile_int8", "model.width=16", 0),
        ("quickstart", f'model={{name="ir_mamba", {SMALL_MAMBA}}}', 2 * 12),  # the quantised form has its norm twice
        ("tan2025_cnn_gru", "model.width=8", 0),
    ],
)
def test_parameters_in_float_are_those_that_the_quantised_network_has_in_float(recipe, override, twice):
    recipe = resolve.load(recipe, [override])
    network, foldable = (build.network(recipe, 4, foldable=foldable) for foldable in (False, True))
    names = qat.check(foldable)
    layers = {layer.name: layer for layer in to_tf_keras(foldable).layers}
    expected = sum(layers[name].count_params() for name in names) - twice
    assert challenge.float_parameters(network, names) == challenge.float_parameters(foldable, names) == expected > 0


@pytest.mark.slow
def test_the_int8_file_of_the_2024_baseline_is_within_the_limits(tmp_path, capsys):
    recipe = resolve.load("esc10_baseline2024")
    run = RunFolder(tmp_path / "run", recipe)
    run.write("labels.txt", "\n".join(f"class {number}" for number in range(10)) + "\n")
    keras.utils.set_random_seed(0)
    network = build.network(recipe, 10, foldable=True)
    clips = np.random.default_rng(0).normal(size=(8, 256, 65, 1)).astype("float32")
    content = convert.convert(qat.quantise(to_tf_keras(network), clips))
    tree = metadata.tree(run, network, content, [])
    assert tree["challenge"] == {"parameters": 61_148, "bytes": 61_148, "macs": 29_419_156, "rule": "T"}
    assert (tree["bytes"]["parameters"], tree["macs"]) == (63_856, 30_216_768)
    assert tflite_file.parameter_bytes(content) == 63_856 and metadata.limit_warnings(tree) == []

    file = tmp_path / "run/export/model.tflite"
    run.write("export/model.tflite", content)
    run.write("export/model.json", json.dumps(tree))
    assert complexity([str(file)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "61,148 of 128,000 bytes: fits" in printed and "29,419,156 of 30,000,000: fits" in printed
    assert "63,856 bytes, biases in 32 bits" in printed and "30,216,768, batch norms folded" in printed
    (tmp_path / "run/export/model.json").unlink()
    assert complexity([str(file)]) == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "59,794 of 128,000 bytes: fits" in printed and "30,216,768 of 30,000,000: OVER" in printed
    assert "Counted after fusion" in printed
