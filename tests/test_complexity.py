import hashlib
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from asc_tf.complexity import main as program
from asc_tf.cost import measure as complexity
from asc_tf.models import cp_mobile, cp_resnet
from asc_tf.recipe import resolve as recipe
from asc_tf.runs import digests
from asc_tf.runs import folder as run_folder

STRIDES = {
    "cpmobile24": [[1, 1], [1, 1], [1, 2], [2, 1], [1, 1], [1, 1]],
    "cpmobile23": [[1, 1], [2, 2], [1, 1], [2, 1], [1, 1], [1, 1]],
}


@pytest.mark.parametrize("foldable", [False, True])
def test_rule_t_gives_the_published_cost_of_the_baseline(foldable):
    network = _cp_mobile("cpmobile24", 65, 1.8, 2.1, foldable=foldable)
    # Table 1 of the DCASE 2024 Task 1 baseline: 61,148 parameters, 29.42 MMACs.
    assert complexity.measure(network) == (61_148, 29_419_156)


def test_rule_t_gives_the_published_cost_of_jku_with_response_norms():
    # Two parameters a norm, no MACs: 126,952 and 28,893,268 are the report's figures of 2024.
    assert complexity.measure(_cp_mobile("cpmobile23", 64, 2.3, 3.0)) == (126_952, 28_893_268)


# sheets/cp_resnet.md, Table 2 of the report: 127.6K and 28.8M for rho 8; the others before fusion.
@pytest.mark.parametrize(
    ("rho", "cost"), [(8, (127_684, 28_840_396)), (6, (80_580, 21_774_796)), (4, (64_196, 19_317_196))]
)
def test_rule_t_gives_the_published_cost_of_cp_resnet(rho, cost):
    assert complexity.measure(cp_resnet.build((256, 44, 1), 10, width=32, rho=rho)) == cost


def test_rule_t_equals_torchinfo_for_every_unfused_network(shared):
    golden = np.load(shared / "golden/complexity.npz")
    rows = zip(*(golden[key] for key in ("name", "input_size", "params", "mult_adds")), strict=True)
    compared = 0
    for name, size, parameters, macs in rows:
        if not name.endswith("_fused"):
            assert complexity.measure(_named(name, int(size.split("x")[-1]))) == (parameters, macs), (name, size)
            compared += 1
    assert compared == 14


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("cpmobile24", 65),
        ("cpmobile23_grn_mult2.3_exp3.0", 65),
        ("cpmobile23_grn_mult1.8_exp2.1", 65),
        ("cpmobile23_grn_mult2.3_exp3.0", 64),
        ("cpmobile23_grn_mult1.8_exp2.1", 64),
    ],
)
def test_rule_t_equals_torchinfo_for_every_layer(shared, name, frames):
    golden = np.load(shared / "golden/complexity.npz")
    columns = (golden[f"layers/{name}_T{frames}/{key}"].tolist() for key in ("params", "mult_adds"))
    expected = [row for row in zip(*columns, strict=True) if row != (0, 0)]
    rows = complexity.layers(_named(name, frames))
    assert [row[3:] for row in rows if row.kind != "GlobalResponseNorm"] == expected


def test_a_hand_sum_by_rule_t():
    inputs = keras.Input((6, 4, 3))
    x = keras.layers.Conv2D(5, 3, padding="same", name="conv")(inputs)  # (27 x 5 + 5) x 24 positions
    x = keras.layers.DepthwiseConv2D(3, use_bias=False, padding="same", strides=2, name="depthwise")(x)  # 45 x 6
    x = keras.layers.BatchNormalization(name="norm")(x)  # 10, once
    x = keras.layers.Dense(2, name="dense")(keras.layers.GlobalAveragePooling2D()(x))  # 12
    assert complexity.measure(keras.Model(inputs, x)) == (140 + 45 + 10 + 12, 140 * 24 + 45 * 6 + 10 + 12)


def test_a_subsampling_counts_only_where_nothing_else_reads_the_output():
    def network(branch):
        inputs = keras.Input((4, 6, 2))
        x = keras.layers.DepthwiseConv2D(3, use_bias=False, padding="same")(inputs)
        subsampled = keras.layers.MaxPooling2D(1, strides=(1, 2))(x)
        return keras.Model(inputs, [subsampled, keras.layers.ReLU()(x)] if branch else subsampled)

    assert complexity.measure(network(branch=False)) == (18, 18 * 4 * 3)
    assert complexity.measure(network(branch=True)) == (18, 18 * 4 * 6)


def test_a_frozen_network_and_one_inside_another_cost_the_same():
    network = _cp_mobile("cpmobile24", 65, 1.8, 2.1)
    network.trainable = False
    inputs = keras.Input(network.input_shape[1:])
    outer = keras.Model(inputs, keras.layers.Softmax()(network(inputs)))
    assert complexity.measure(outer) == complexity.measure(network) == (61_148, 29_419_156)


def test_the_program_prints_every_rule_and_the_limits(capsys):
    assert program(["esc10_baseline2024"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "T 61,148 29,419,156" in printed and "F 59,794 30,216,768" in printed
    assert "61,148 of 128,000 bytes: fits" in printed and "MACs, rule T 29,419,156 of 30,000,000: fits" in printed


def test_a_network_over_a_limit_is_marked_and_gives_its_exit_status(capsys):
    assert program(["quickstart", "--set", "model.width=64", "--set", "model.grn=true"]) == 1
    printed = capsys.readouterr().out
    assert printed.count("OVER") == 2 and "30,949,844 of" in printed
    # Its [quantise] leaves the scale and shift of six response norms in float.
    assert "(12 in float)" in printed and f"{228_340 + 12 + 3 * 12:,} of" in printed


def test_a_run_is_counted_with_its_classes(tmp_path, capsys):
    run = run_folder.create(tmp_path / "run", recipe.load("quickstart"), resume=False)
    run.write("labels.txt", "near\nfar\n")
    assert program([str(run.path)]) == 0
    # 8 of 10 outputs less than the baseline: each 104 weights, gamma and beta.
    assert f"{61_148 - 8 * 106:,} of 128,000" in capsys.readouterr().out
    assert program([str(run.path), "--set", "model.width=64"]) == 2


def test_a_runs_layers_in_float_are_those_of_its_int8_file(tmp_path, capsys):
    run = run_folder.create(tmp_path / "run", recipe.load("esc10_baseline2024", ["model.grn=true"]), resume=False)
    run.write("labels.txt", "".join(f"class {number}\n" for number in range(10)))
    run.write("export/model.tflite", b"of this run")
    counts = {"challenge": {"parameters": 1, "bytes": 1, "macs": 1}, "macs": 1, "float_layers": ["b1_grn", "b2_grn"]}
    sizes = {"bytes": {"file": 11, "parameters": 1, "activations_at_least": 1}, "labels": [], "segment_s": 1.0}
    made_of = {"sha256": digests.sha256(b"of this run"), "network_sha256": digests.network(run)}
    feature = {"feature": {"name": "log_mel", "sample_rate_hz": 32000}}
    run.write_json("export/model.json", counts | sizes | made_of | feature)
    assert program([str(run.path)]) == 0
    assert f"{61_160 + 3 * 4:,} of 128,000" in capsys.readouterr().out


def test_the_program_counts_tflite_files(tflite_file, capsys):
    assert program([str(tflite_file)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    # 3 weights and 3 biases at 8 positions, in floats; 8 values in and 24 out.
    assert "total 6 48" in printed and "24 of 128,000 bytes" in printed and "activations at least 128 bytes" in printed
    assert "MACs, rule F 48 of" in printed and "Counted after fusion" in printed


@pytest.mark.parametrize(("macs", "status"), [(29_419_156, 0), (30_000_001, 1)])
def test_a_tflite_file_is_judged_by_the_description_that_belongs_to_it(tflite_file, capsys, macs, status):
    counted = {"parameters": 61_148, "bytes": 61_148, "macs": macs, "rule": "T"}
    digest = hashlib.sha256(tflite_file.read_bytes()).hexdigest()
    tflite_file.with_suffix(".json").write_text(json.dumps({"sha256": digest, "challenge": counted}))
    assert program([str(tflite_file)]) == status
    printed = " ".join(capsys.readouterr().out.split())
    assert "parameters of the network 61,148" in printed and "61,148 of 128,000 bytes: fits" in printed
    assert f"MACs, rule T {macs:,} of 30,000,000" in printed and "computed by the file, rule F 48," in printed
    assert "parameters as stored 24 bytes" in printed and "Counted after fusion" not in printed


@pytest.mark.parametrize("text", ["no JSON", "[]", '{"labels": []}', '{"sha256": "of another file", "challenge": 1}'])
def test_a_description_of_something_else_is_not_read(tflite_file, capsys, text):
    tflite_file.with_suffix(".json").write_text(text)
    assert program([str(tflite_file)]) == 0
    assert "Counted after fusion" in capsys.readouterr().out


@pytest.fixture
def tflite_file(tmp_path):
    """A float convolution of 3 channels, 1 x 1, on inputs of 4 x 2 x 1."""
    function = tf.function(lambda x: tf.nn.conv2d(x, tf.ones((1, 1, 1, 3)), 1, "SAME"))
    concrete = function.get_concrete_function(tf.TensorSpec((1, 4, 2, 1), tf.float32))
    file = tmp_path / "network.tflite"
    file.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([concrete], tf.Module()).convert())
    return file


@pytest.mark.parametrize("what", ["absent.tflite", "no_recipe", "."])
def test_errors_of_the_program_are_one_line(what, capsys):
    assert program([what]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def _named(name, frames):
    """The network of a row of complexity.npz."""
    if name == "cpresnet_128k":
        return cp_resnet.build((256, frames, 1), 10, width=32, rho=8)
    if name == "cpmobile24":
        return _cp_mobile(name, frames, 1.8, 2.1)
    growth, expansion = name.split("_mult")[1].split("_exp")
    return _cp_mobile("cpmobile23", frames, float(growth), float(expansion))


def _cp_mobile(family, frames, growth, expansion, foldable=False):
    return cp_mobile.build(
        (256, frames, 1),
        10,
        width=32,
        growth=growth,
        expansion=expansion,
        strides=STRIDES[family],
        grn=family == "cpmobile23",
        foldable=foldable,
    )
