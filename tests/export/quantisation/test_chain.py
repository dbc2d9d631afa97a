"""The whole chain on CP-Mobile: training, quantisation-aware training with a teacher, conversion, agreement."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from models import from_torch

from asc_tf import build
from asc_tf.cost import measure as complexity
from asc_tf.cost import memory, tflite_rule
from asc_tf.cost.rows import total
from asc_tf.export.device import comparison as parity
from asc_tf.export.quantisation import convert as tflite
from asc_tf.export.quantisation import qat
from asc_tf.export.quantisation.to_tf_keras import to_tf_keras
from asc_tf.models import cp_mobile
from asc_tf.tflite import file as tflite_file

SETTINGS = {
    "width": 16,
    "growth": 1.8,
    "expansion": 2.1,
    "strides": [[1, 1], [1, 1], [1, 2], [2, 1], [1, 1], [1, 1]],
    "grn": False,
}


@pytest.mark.slow
def test_a_trained_network_keeps_its_decisions_in_int8():
    keras.utils.set_random_seed(0)
    x, y = _scenes(512, seed=1)
    network = cp_mobile.build((64, 33, 1), 5, **SETTINGS)
    rate = keras.optimizers.schedules.CosineDecay(5e-3, decay_steps=10 * 16)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    network.compile(optimizer=keras.optimizers.Adam(rate), loss=loss)
    network.fit(x, y, epochs=10, batch_size=32, verbose=0)
    foldable = cp_mobile.build((64, 33, 1), 5, **SETTINGS, foldable=True)
    foldable.set_weights(network.get_weights())

    quantised = qat.quantise(to_tf_keras(foldable), x[:128])
    targets = {"label": y, "teacher": network.predict(x, verbose=0)}
    qat.train(
        quantised,
        qat.optimizer(quantised),
        tf.data.Dataset.from_tensor_slices((x, targets)).batch(64).repeat(),
        first_epoch=0,
        epochs=2,
        steps_per_epoch=8,
        frozen_epochs=1,
        learning_rate=lambda step: 1e-4,
        label_weight=0.1,
        temperature=2.0,
        on_epoch=lambda epoch, loss: None,
    )
    file = tflite_file.TFLiteModel(tflite.convert(quantised))
    clips, labels = _scenes(2000, seed=2)
    figures = parity.compare(
        {"float": foldable.predict(clips, verbose=0), "qat": build.forward(quantised)(clips), "int8": file(clips)},
        labels.argmax(axis=1),
    )
    print(parity.table(figures))
    assert file.is_int8 and file.parameter_bytes < complexity.MAX_BYTES
    assert 0.7 < figures["float"]["accuracy"] < 1.0
    assert figures["int8"]["agreement"] >= 0.97
    # At most a point is lost. More may be won: the quantisation-aware epochs train on.
    correct = {name: round(2000 * figures[name]["accuracy"]) for name in ("float", "int8")}
    assert correct["float"] - correct["int8"] <= 20


@pytest.mark.slow
def test_the_2024_network_keeps_its_decisions_on_real_scenes_without_training(shared):
    # Random weights on the log-mels of the 2023 front end: logits lie close together, so decisions are hard to keep.
    golden = np.load(shared / "golden/model_cpmobile24.npz")
    network = cp_mobile.build((256, 64, 1), 10, **(SETTINGS | {"width": 32}), foldable=True)
    from_torch.load(network, golden, from_torch.cp_mobile_name)
    x = 5 * from_torch.channels_last(np.load(shared / "golden/real_cpmobile23_logmel.npz")["x"]) - 4.5
    file = tflite_file.TFLiteModel(tflite.convert(qat.quantise(to_tf_keras(network), x)))
    expected = network.predict(x, verbose=0)
    assert file.is_int8
    # 61,148 parameters less gamma and beta of 1,354 channels are weights; and a bias of four bytes a channel.
    assert file.parameter_bytes == 61_148 - 2 * 1_354 + 4 * 1_354
    assert total(tflite_rule.rows(file.content)) == complexity.measure(network, "F")
    assert tflite_rule.peak_bytes(file.content) == memory.peak_values(network)
    assert np.mean(file(x).argmax(axis=1) == expected.argmax(axis=1)) >= 0.9


def _scenes(count, seed):
    """Ripples of the class's width over the bands, in noise: (count, 64, 33, 1), (count, 5) one-hot."""
    rng = np.random.default_rng(seed)
    labels, bands = rng.integers(0, 5, count), np.arange(64)
    phase, strength = rng.uniform(0, 2 * np.pi, (count, 1)), rng.uniform(0.2, 1.5, (count, 1))
    ripple = strength * np.sin(2 * np.pi * bands / (6.0 + 4 * labels[:, None]) + phase)
    x = ripple[:, :, None] + 0.5 * rng.normal(size=(count, 64, 33))
    return x[..., None].astype("float32"), np.eye(5, dtype="float32")[labels]
