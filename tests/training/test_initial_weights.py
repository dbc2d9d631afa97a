"""Runs that start from the weights of others: what is taken, what is new, and three stages in a row."""

import csv
import json

import numpy as np
import pytest

from asc_tf import build
from asc_tf.chain import train as chain_train
from asc_tf.chain.stages import stages
from asc_tf.errors import UserError
from asc_tf.inference.run import TrainedRun
from asc_tf.inference.system import load_run
from asc_tf.predict import main as predict
from asc_tf.recipe import resolve as recipe
from asc_tf.runs import folder as run_folder
from asc_tf.train import main as train
from asc_tf.training import dry_run as fitting
from asc_tf.training import initial_weights as starting
from asc_tf.training.network_cache import NetworkCache

SEVERAL_CLASSES = 'dataset={name="audioset", root="nowhere", train="both"}'
LABELS = ("Low hum", "Middle, so to speak", "high", "Any")


@pytest.fixture
def stage(tiny):
    """A small recipe that starts from another one like it, with some keys overridden."""
    (tiny.parent / "before.toml").write_text((tiny.parent / "tiny_teacher.toml").read_text())
    later = tiny.parent / "later.toml"
    later.write_text((tiny.parent / "tiny_teacher.toml").read_text() + '[init]\nrecipe = "before"\n')
    return lambda *overrides: recipe.load(later, overrides)


@pytest.fixture
def finished(stage, tmp_path):
    """The run of the recipe before, as training leaves it, of four classes; its weights are drawn from another seed."""
    run = run_folder.RunFolder(tmp_path / "finished", recipe.load(tmp_path / "before.toml"))
    run.write("recipe.toml", recipe.to_toml(run.recipe))
    run.write("labels.txt", "\n".join(LABELS) + "\n")
    run.write("weights/best.weights.h5", build.network(recipe.load(run.recipe.file, ["seed=7"]), 4).save_weights)
    run.write("metrics.json", "{}")
    return run


@pytest.fixture
def initial_run(tmp_path, monkeypatch):
    """The run that a recipe's run in `own` starts from, as its chain finds it; its dataset has the classes given."""
    monkeypatch.setattr(chain_train, "check", lambda *_: {})

    def found(loaded, classes=()):
        last = stages(loaded, tmp_path / "own")
        chain = chain_train.Chain(last)
        known = chain.classes
        monkeypatch.setattr(chain, "classes", lambda one: classes if one == loaded else known(one))
        chain.check_heads()
        return chain._initial_run(last, last.run)

    return found


def kernels(network, *names):
    return [network.get_layer(name).get_weights()[0] for name in names]


def test_all_layers_but_the_head_are_taken(stage, finished, capsys):
    network = build.network(stage(), 3)
    (stem, head), (their_stem,) = kernels(network, "stem1", "head"), kernels(_of(finished), "stem1")
    assert (stem != their_stem).any()
    starting.copy_weights(network, stage(), TrainedRun(finished))
    np.testing.assert_array_equal(kernels(network, "stem1", "head")[0], their_stem)
    np.testing.assert_array_equal(kernels(network, "stem1", "head")[1], head)
    assert capsys.readouterr().out == "starts from finished: 22 layers copied, new: head, head_bn\n"


def test_the_head_is_kept_where_asked(stage, finished, capsys):
    network = build.network(stage(), 4)
    starting.copy_weights(network, stage("init.keep_head=true"), TrainedRun(finished))
    for own, theirs in zip(network.get_weights(), _of(finished).get_weights(), strict=True):
        np.testing.assert_array_equal(own, theirs)
    assert "24 layers copied, new: none" in capsys.readouterr().out


def _of(run):
    network = build.network(run.recipe, len(run.labels))
    network.load_weights(run.path / "weights/best.weights.h5")
    return network


def test_another_network_is_refused_before_training(stage):
    networks, before = NetworkCache(), recipe.initial(stage())
    assert before.name == "before"
    starting.check(stage(), before, networks)
    with pytest.raises(UserError, match=r"init: \d+ layers .* stem1 \(3 x 3 x 1 x 4 here, .* 2 there\), ") as error:
        starting.check(stage("model.width=16", "model.grn=true"), before, networks)
    assert "[model]" in str(error.value) and str(error.value).count(" here, ") == 3


def test_layers_that_only_one_has_are_left_out_where_asked(stage, finished, capsys):
    later = stage("init.partial=true", "model.strides=[[1,1]]", "model.blocks=[1]")
    starting.check(later, recipe.initial(later), NetworkCache())
    network = build.network(later, 3)
    starting.copy_weights(network, later, TrainedRun(finished))
    theirs = _of(finished)
    for layer in network.layers:
        if layer.weights and not layer.name.startswith("head"):
            np.testing.assert_array_equal(layer.get_weights()[0], theirs.get_layer(layer.name).get_weights()[0])
    assert "10 layers copied, new: head, head_bn, left out: 14\n" in capsys.readouterr().out


def test_networks_without_a_common_layer_are_refused(stage):
    later = stage("init.partial=true", 'model={name="ait_student", width=8, embedding=16, dropout=[0, 0, 0, 0, 0]}')
    with pytest.raises(UserError, match="no layer of .*before.toml has a name and shapes of this .*nothing would be"):
        starting.check(later, recipe.initial(later), NetworkCache())


def test_a_run_can_be_named_instead_of_a_recipe(stage, finished, initial_run):
    named = stage(f'init={{run="{finished.path}", keep_head=true}}')
    assert recipe.initial(named) is None and recipe.dependencies(named) == []
    assert initial_run(named, LABELS).path == finished.path
    with pytest.raises(UserError, match="keep_head = true, but the classes differ: only one side has Any. Write"):
        initial_run(named, LABELS[:3])
    with pytest.raises(UserError, match="keep_head = true, but the classes differ: they are in another order"):
        initial_run(named, LABELS[::-1])
    (finished.path / "metrics.json").unlink()
    with pytest.raises(UserError, match="init.run = .* is not finished; train it"):
        initial_run(named, LABELS)
    (finished.path / "import.txt").touch()
    assert initial_run(named, LABELS).path == finished.path
    (finished.path / "untrained.txt").touch()
    with pytest.raises(UserError, match="keep_head = true, but the head of .*finished is not trained"):
        initial_run(named, LABELS)


def test_a_head_that_does_not_fit_is_refused_before_the_former_run_is_trained(stage, initial_run):
    with pytest.raises(UserError, match="keep_head = true, but the classes differ: only one side has Any, Low hum"):
        initial_run(stage("init.keep_head=true"), LABELS)


def test_a_run_that_goes_on_starts_from_nothing(stage, initial_run, tmp_path):
    run_folder.RunFolder(tmp_path / "own", stage()).write("state.npz", b"an epoch was saved")
    assert initial_run(stage()) is None


def test_a_former_run_is_trained_with_the_same_seed_on_its_own_data_or_reused(
    stage, initial_run, tmp_path, monkeypatch, capsys
):
    def train_one(self, stage, *, resume):
        seen.append((stage.recipe, stage.path))
        return stage.run

    seen = []
    monkeypatch.setattr(chain_train.Chain, "_train", train_one)
    student = stage("seed=5", "dataset.test_share=0.5")
    initial_run(student)
    ((before, out),) = seen
    assert before.seed == 5 and before.dataset.settings["test_share"] == 0.3 and before.name == "before"
    assert out.parent == tmp_path and out.name.startswith("before-5-")
    run_folder.RunFolder(out, before).write("labels.txt", "high\n")
    run_folder.RunFolder(out, before).write("metrics.json", "{}")
    assert initial_run(student).path == out and len(seen) == 1
    assert capsys.readouterr().out.endswith(f"init {out.name}: reused\n")


SMALL = """[model]
name = "ait_student"
width = 8
embedding = 16
dropout = [0, 0, 0, 0, 0]
"""


def small(file):
    """The text of a tiny recipe with a network that is traced sooner, for one epoch."""
    text = file.read_text().replace("epochs = 16", "epochs = 1")
    return text.replace(text[text.index("[model]") : text.index("grn = false\n") + len("grn = false\n")], SMALL)


@pytest.fixture
def three_stages(tiny, recordings):
    """kd.toml starts from split.toml, which starts from pretrain.toml on AudioSet-like clips; the teacher is the tiny
    one."""
    root = tiny.parent / "audioset"
    (root / "wav").mkdir(parents=True)
    lines = [f'{n},/m/{n},"{name}"' for n, name in enumerate(LABELS)]
    (root / "class_labels_indices.csv").write_text("index,mid,display_name\n" + "\n".join(lines) + "\n")
    tables = {"balanced_train": [], "eval": []}
    for number, name in enumerate(("low", "middle", "high")):
        for take in range(20):
            video = f"-{name:_<8}{take:02d}"
            (root / f"wav/Y{video}.wav").symlink_to(recordings / name / f"{name}{take}.wav")
            row = f'{video}, 0.000, 2.000, "/m/{number}{",/m/3" if take % 2 else ""}"'
            tables["eval" if take % 3 == 0 else "balanced_train"].append(row)
    for name, rows in tables.items():
        (root / f"{name}_segments.csv").write_text("# a\n# b\n# c\n" + "\n".join(rows) + "\n")
    taught, student = small(tiny.parent / "tiny_teacher.toml"), small(tiny)
    folder_set = taught[taught.index("[dataset]") : taught.index("[data]")]
    pretrain = taught.replace(folder_set, f'[dataset]\nname = "audioset"\nroot = "{root}"\ntrain = "balanced"\n')
    student = student[: student.index("[quantise]")] + student[student.index("[train]") :]
    for name, text in (
        ("pretrain", pretrain),
        ("split", taught + '[init]\nrecipe = "pretrain"\n'),
        ("tiny_teacher", taught),
        ("kd", student + '[init]\nrecipe = "split"\n'),
    ):
        (tiny.parent / f"{name}.toml").write_text(text)
    return tiny.parent


@pytest.mark.slow
def test_three_stages_in_one_command(three_stages, recordings, capsys):
    out = three_stages / "runs/kd"
    assert train([str(three_stages / "kd.toml"), "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    (pretrained,), (split,) = (out.parent.glob(f"{name}-1-*") for name in ("pretrain", "split"))
    for former in (pretrained, split):
        assert f"starts from {former.name}: 13 layers copied, new: logits" in shown
    assert shown.index("init  epoch") < shown.index("teacher  epoch") < shown.index("student  epoch")

    # the first stage has several classes a clip
    assert run_folder.load(pretrained).labels == LABELS and run_folder.load(out).labels == ("high", "low", "middle")
    figures = json.loads((pretrained / "metrics.json").read_text())["float"]
    assert 0 < figures["mean_average_precision"] <= 1 and figures["by_file"]["clips"] == 21 == figures["clips"] / 2
    assert list(figures["by_class"]) == list(LABELS) and "mean average precision" in shown and "val mAP" in shown
    assert not list(pretrained.glob("confusion*")) and (split / "confusion_float.png").is_file()
    with open(pretrained / "log.csv") as lines:
        columns = next(csv.reader(lines))
    assert "val_mean_average_precision" in columns and "accuracy" not in columns
    file = str(recordings / "high/high3.wav")
    probabilities = load_run(pretrained).predict(file)
    assert probabilities.shape == (2, 4) and ((probabilities > 0) & (probabilities < 1)).all()
    assert predict([str(pretrained), file]) == 0


@pytest.mark.slow
def test_a_teacher_of_several_classes_a_clip(three_stages, capsys):
    text = (three_stages / "pretrain.toml").read_text()
    distilled = '[[teacher]]\nrecipe = "pretrain"\n[distill]\ntemperature = 1.0\nlabel_weight = 0.1\nform = "binary"\n'
    (three_stages / "taught.toml").write_text(text + distilled)
    out = three_stages / "runs/taught"
    assert train([str(three_stages / "taught.toml"), "--out", str(out)]) == 0
    (teacher,) = out.parent.glob("pretrain-1-*")
    (stored,) = (teacher / "teacher_outputs").rglob("*.npz")
    with np.load(stored) as arrays:
        logits = arrays["logits"].astype(np.float64)
    assert logits.shape[1] == 4
    with open(out / "log.csv") as lines:
        (epoch,) = csv.DictReader(lines)
    # 0.1 of the labels' part and 0.9 of the teacher's, which is at least the entropy of its sigmoid outputs
    label, taught = float(epoch["label_loss"]), float(epoch["teacher_loss"])
    assert float(epoch["loss"]) == pytest.approx(0.1 * label + 0.9 * taught, rel=1e-3)
    assert taught > np.mean(np.logaddexp(0, logits) - logits / (1 + np.exp(-logits)))


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("hierarchy", '{groups="tau", branches="one"}'),
        ("quantise", '{epochs=1, frozen_epochs=0, learning_rate=1e-4, distil_from="float"}'),
    ],
)
def test_clips_with_several_classes_have_no_groups_and_are_not_quantised(tiny, section, value):
    overrides = [SEVERAL_CLASSES, f"{section}={value}"]
    with pytest.raises(UserError, match=rf"\[{section}\] is for datasets of one class a clip"):
        fitting.check(recipe.load(tiny.parent / "tiny_teacher.toml", overrides))


@pytest.mark.parametrize(
    ("overrides", "distill", "rule"),
    [
        ([SEVERAL_CLASSES], "", "has several classes a clip: write form = .binary"),
        ([], ', form="binary"', "has one class a clip: leave out form = .binary"),
        ([SEVERAL_CLASSES], ', form="binary", ensemble="weighted"', "weighted.* is fitted to one class a clip"),
    ],
)
def test_the_form_of_distillation_must_suit_the_classes_of_a_clip(tiny, overrides, distill, rule):
    taught = ['teacher=[{recipe="tiny_teacher"}]', f"distill={{temperature=1, label_weight=0.5{distill}}}"]
    with pytest.raises(UserError, match=rule):
        fitting.check(recipe.load(tiny.parent / "tiny_teacher.toml", [*overrides, *taught]))
