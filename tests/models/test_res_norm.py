import keras
import numpy as np

from asc_tf.models._res_norm import AdaResNorm, ResNorm


def test_resnorm_normalises_every_row_by_its_unbiased_variance():
    x = np.array([[1.0, 3.0], [10.0, 10.0]]).reshape(1, 2, 1, 2)  # two bands, one frame, two channels
    # First row: mean 2, variance 2. The second has none.
    expected = [[0.1 - 1 / np.sqrt(2), 0.3 + 1 / np.sqrt(2)], [1.0, 1.0]]
    np.testing.assert_allclose(ResNorm(0.1)(x)[0, :, 0], expected, rtol=1e-5)


def test_resnorm_computes_in_float32_in_half_precision():
    x = np.random.default_rng(0).normal(scale=100, size=(2, 3, 40, 50)).astype("float16")  # squares pass 65,504
    y = ResNorm(0.0, dtype="mixed_float16")(x)
    assert y.dtype == "float16"
    np.testing.assert_allclose(np.std(y, axis=(2, 3)), 1, atol=0.01)


def test_adaresnorm_equals_the_original(shared):
    golden = np.load(shared / "golden/model_tf_sepnet_othersize.npz")
    layer = AdaResNorm(0.5)
    x, y = (np.moveaxis(golden[f"ada/{key}"], 1, -1) for key in "xy")
    layer.build(x.shape)
    layer.set_weights([golden[f"ada/{name}"] for name in ("rho", "gamma", "beta")])
    np.testing.assert_allclose(layer(x), y, rtol=0, atol=1e-5)
    copy = AdaResNorm.from_config(layer.get_config())
    assert copy.start == 0.5 and isinstance(copy, keras.layers.Layer)
