import keras
import numpy as np
import pytest
from keras import layers

from asc_tf.distillation import embedding, hierarchy, soft_targets
from asc_tf.distillation.student import Student
from asc_tf.recipe.schema import Distill, Hierarchy, Ramp
from asc_tf.runs import folder as run_folder
from asc_tf.training import callbacks as epochs

CLASSES = ("x", "y", "z")
GROUPS = {"a": ["x", "z"], "b": ["y"]}
SIZES = (4, 6)
ALL = Distill(
    temperature=2.0,
    label_weight=Ramp(start=1.0, end=0.25, first_epoch=1, last_epoch=3),
    teacher_weight=0.5,
    embedding_weight=2.0,
    layer="embedding",
)
TWO_BRANCHES = Hierarchy(groups=GROUPS, branches="two", weight=0.7, layer="embedding_dropout")


def network(dropout=0.0):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 5, 1))
    x = layers.BatchNormalization(momentum=0.5, name="norm")(layers.Dense(4, name="hidden")(layers.Flatten()(inputs)))
    x = layers.Dropout(dropout, name="embedding_dropout")(layers.ReLU(name="embedding")(x))
    return keras.Model(inputs, layers.Dense(3, name="logits")(x))


def data(teacher=True):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 64)
    x = (rng.standard_normal((64, 8, 5, 1)) + labels[:, None, None, None]).astype("float32")
    said = {"teacher": 3, "embedding": sum(SIZES)}
    said = {key: rng.standard_normal((64, size)).astype("float32") for key, size in said.items()}
    return x, {"label": np.eye(3, dtype="float32")[labels]} | (said if teacher else {})


def student(rate=0.0, dropout=0.0, **settings):
    made = Student(network(dropout), classes=CLASSES, **settings)
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(made.trainable_variables)
    made.compile(optimizer=optimizer)
    return made


def with_everything(rate):
    return student(rate, 0.5, distill=ALL, hierarchy=TWO_BRANCHES, embedding_sizes=SIZES, steps_per_epoch=2)


def fitted(student, x, y, **settings):
    return student.fit(x, y, **({"batch_size": 64, "verbose": 0, "shuffle": False} | settings)).history


def mean(values):
    return float(np.mean(values))


def test_the_logged_terms_are_the_hand_sum():
    """In training, which the dropout before the second head shows: what is logged is of that pass."""
    x, y = data()
    heard = []
    taught = with_everything(0.0)
    taught.heads.call, call = lambda *a, **k: heard.append(call(*a, **k)) or heard[-1], taught.heads.call
    taught.run_eagerly = True
    history = {key: values[0] for key, values in fitted(taught, x, y).items()}
    (outputs,) = heard[-1:]
    labels = y["label"]
    expected = {
        "label_loss": mean(soft_targets.label_loss(outputs["logits"], labels)),
        "group_loss": mean(
            hierarchy.loss(keras.ops.log_softmax(outputs["group"]), labels, hierarchy.membership(GROUPS, CLASSES))
        ),
        "teacher_loss": mean(soft_targets.loss(outputs["logits"], y["teacher"], temperature=2.0)),
        "embedding_loss": mean(embedding.loss(outputs["embedding"], y["embedding"], SIZES)),
    }
    label, group, teacher, distance = expected.values()
    expected["loss"] = 1.0 * (label + 0.7 * group) + 0.5 * teacher + 2.0 * distance  # step 0: the ramp's start
    first = outputs["embedding"].numpy()[:, : SIZES[0]]
    assert {key: history[key] for key in expected} == pytest.approx(expected, rel=1e-5)
    assert (first >= 0).all() and (first > 0).mean() > 0.3


def test_the_network_runs_once_a_step():
    calls = []

    class Counted(layers.Identity):
        def call(self, x):
            calls.append(x)
            return super().call(x)

    inputs = keras.Input((8, 5, 1))
    hidden = layers.Dense(4, name="embedding")(layers.Flatten()(Counted()(inputs)))
    counted = keras.Model(inputs, layers.Dense(3)(hidden))
    two = Hierarchy(groups=GROUPS, branches="two", layer="embedding")
    taught = Student(counted, distill=ALL, hierarchy=two, classes=CLASSES, embedding_sizes=SIZES)
    taught.compile(optimizer="sgd", run_eagerly=True)
    x, y = data()
    taught.fit(x, y, batch_size=64, verbose=0)
    before = len(calls)
    taught.fit(x, y, batch_size=64, epochs=3, verbose=0)
    assert len(calls) - before == 3


@pytest.mark.parametrize(
    ("settings", "logged"),
    [
        ({}, {"label"}),
        ({"hierarchy": Hierarchy(groups=GROUPS, branches="one")}, {"label", "group"}),
        ({"distill": Distill(temperature=2.0, label_weight=0.5)}, {"label", "teacher"}),
    ],
)
def test_what_is_no_term_is_not_logged(settings, logged):
    x, y = data()
    history = fitted(student(**settings), x, y)
    assert {key for key in history if key.endswith("_loss")} == {f"{name}_loss" for name in logged}


def test_without_a_teacher_it_learns_from_labels_alone():
    history = fitted(student(0.03), *data(teacher=False), batch_size=16, epochs=8)
    assert history["loss"][0] == pytest.approx(history["label_loss"][0])
    assert history["accuracy"][-1] > 0.8 > history["accuracy"][0]


def test_it_learns_the_teacher_when_labels_do_not_count():
    x, y = data()
    y = {"label": y["label"], "teacher": np.roll(y["label"], 1, axis=1) * 10}  # a teacher that is always wrong
    taught = student(0.03, distill=Distill(temperature=1.0, label_weight=0.0))
    fitted(taught, x, y, batch_size=8, epochs=20)
    assert np.mean(np.argmax(taught.network(x), 1) == np.argmax(y["teacher"], 1)) > 0.9


def test_what_helps_in_training_learns_and_is_no_part_of_the_network(tmp_path):
    taught = with_everything(0.01)
    assert [layer.name for layer in taught.heads.layers if layer not in taught.network.layers] == [
        "projection_1",  # the first teacher's embedding has the student's size
        "group_head",
    ]
    before = {v.path: np.array(v) for v in taught.trainable_variables}
    fitted(taught, *data())
    for name in ("projection_1/kernel", "group_head/kernel", "hidden/kernel"):
        assert np.abs(next(np.array(v) for v in taught.trainable_variables if v.path == name) - before[name]).max() > 0
    taught.network.save_weights(tmp_path / "best.weights.h5")
    plain = network(dropout=0.5)
    plain.load_weights(tmp_path / "best.weights.h5")
    assert len(taught.variables) == len(plain.variables) + 4
    np.testing.assert_array_equal(plain(data()[0]), taught.network(data()[0]))


@pytest.mark.slow
def test_a_run_that_goes_on_amid_a_ramp_ends_bit_for_bit_as_one_never_stopped(tmp_path):
    x, y = data()

    def trained(folder, initial_epoch, epochs_):
        taught = with_everything(0.01)
        run = run_folder.RunFolder(folder, None)
        keeper = epochs.EpochCheckpoint(run, taught.network, None, [], title="")
        assert keeper.resume(taught) == initial_epoch
        fitted(taught, x, y, batch_size=32, initial_epoch=initial_epoch, epochs=epochs_, callbacks=[keeper])
        return [np.array(variable) for variable in taught.variables]

    never_stopped = trained(tmp_path / "whole", 0, 4)
    trained(tmp_path / "parts", 0, 2)
    for one, other in zip(trained(tmp_path / "parts", 2, 4), never_stopped, strict=True):
        np.testing.assert_array_equal(one, other)
    logs = [np.genfromtxt(tmp_path / name / "log.csv", delimiter=",", names=True) for name in ("whole", "parts")]
    terms = [name for name in logs[0].dtype.names if name.endswith("loss")]
    assert sorted(terms) == ["embedding_loss", "group_loss", "label_loss", "loss", "teacher_loss"]
    np.testing.assert_array_equal(*(log[terms] for log in logs))


def test_a_weight_moves_with_every_step():
    """What fit calls an epoch is one step here, half an epoch of the recipe."""
    x, y = data()
    ramp = Ramp(start=0.0, end=1.0, last_epoch=2)
    taught = student(distill=Distill(temperature=1.0, label_weight=ramp, teacher_weight=0.0), steps_per_epoch=2)
    losses = fitted(taught, x, y, epochs=6)
    shares = np.array(losses["loss"]) / np.array(losses["label_loss"])
    np.testing.assert_allclose(shares, [0, 0.25, 0.5, 0.75, 1, 1], atol=1e-6)


def test_live_teachers_hear_the_batch_and_learn_nothing():
    x, y = data()
    teacher = keras.Sequential([keras.Input((8, 5, 1)), layers.Flatten(), layers.Dense(3)])
    before = [np.array(v) for v in teacher.variables]
    distill = Distill(temperature=2.0, label_weight=0.5, online=True)
    live = student(0.01, distill=distill, online=lambda x: {"teacher": teacher(x, training=False)})
    stored = student(0.01, distill=distill)
    losses = [
        fitted(live, x, {"label": y["label"]}, epochs=3)["teacher_loss"],
        fitted(stored, x, {"label": y["label"], "teacher": np.array(teacher(x))}, epochs=3)["teacher_loss"],
    ]
    np.testing.assert_allclose(*losses, rtol=1e-5)
    assert len(live.trainable_variables) == len(stored.trainable_variables)
    for one, other in zip(teacher.variables, before, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_clips_with_several_classes_are_learnt_class_by_class():
    x, y = data()
    y["label"] = np.maximum(y["label"], np.roll(y["label"], 1, axis=1))  # two of three
    history = fitted(student(0.03, multi_label=True), x, y, epochs=40)
    assert history["loss"][-1] < history["loss"][0] / 2 and "accuracy" not in history
