import keras
import numpy as np
import pytest
import tensorflow as tf

from asc_tf.checkpoints import to_keras
from asc_tf.cost import layer_rules, measure
from asc_tf.errors import UserError
from asc_tf.models import _mamba, ir_mamba

STEM = {"stem": [8, 32], "blocks": [[48, 64], [48, 96], [128, 155]]}
S1 = STEM | {"pmbs": [[48, 2], [64, 2], [72, 2]], "pools": [2, 2, 2]}
S2 = STEM | {"pmbs": [[48, 2], [48, 3], [48, 4], [64, 4], [72, 4]], "pools": [2, 1, 2, 1, 2]}
S3 = {
    "stem": [8, 32],
    "blocks": [[48, 64], [48, 96], [128, 202]],
    "pmbs": [[48, 1], [64, 48], [72, 64], [96, 72]],
    "pools": [2, 2, 2, 1],
}
SMALL = {"stem": [4, 8], "blocks": [[8, 12], [12, 16], [16, 24]], "pmbs": [[12, 3], [8, 4]], "pools": [2, 1]}
DEFAULTS = {
    "share_mamba": False,
    "d_state": 16,
    "d_conv": 4,
    "expand": 2,
    "mamba_init": "mamba",
    "pmb_activation": "gelu",
    "chunk": 0,
}


# sheets/irmamba.md: parameters, MACs by rule T, and with all dense weights and the scan at every token.
@pytest.mark.parametrize(
    ("settings", "parameters", "macs", "full_macs"),
    [(S1, 107_460, 16_794_636, 25.47), (S2, 121_510, 17_369_580, 26.87), (S3, 126_432, 16_994_656, 28.10)],
)
def test_has_the_counts_of_the_proposal(settings, parameters, macs, full_macs):
    network = ir_mamba.build((256, 64, 1), 10, **settings)
    assert measure.measure(network) == (parameters, macs)
    rows = {row.name: row for row in layer_rules.unfused(network)}
    full = sum(row.macs for name, row in rows.items() if name.endswith("conv") or name == "head")
    for layer in network.layers:
        if isinstance(layer, _mamba.ParallelMamba):
            d, inner, rank, states = layer.channels, layer.inner, layer.rank, layer.states
            of_token = 2 * d * inner + layer.taps * inner + inner * (rank + 2 * states) + rank * inner + inner * d
            full += layer.branches * layer.tokens * (of_token + 2 * inner * states)
            full += layer.tokens * np.prod(network.get_layer(f"{layer.name}_proj").kernel.shape)
    assert full / 1e6 == pytest.approx(full_macs, abs=0.005)


def test_one_mamba_for_all_branches_has_the_parameters_of_one():
    settings = S1 | {"blocks": [[48, 64], [48, 96], [128, 144]]}  # sheets/irmamba.md: the natural last block
    assert measure.measure(ir_mamba.build((256, 64, 1), 10, **settings)).parameters == 105_117
    shared = ir_mamba.build((256, 64, 1), 10, **settings, share_mamba=True)
    assert measure.measure(shared).parameters == 82_621
    # A module that is called twice costs its MACs twice.
    assert shared.get_layer("pmb1").rule_t_macs() == 2 * (5 * 48 * (512 + 3) + 48 * 34 * 512 + 48 * 24) + 2 * 2 * 48


def test_the_blocks_have_the_shapes_of_the_report():
    network = ir_mamba.build((256, 64, 1), 10, **S1)
    names = ["stem1_relu", "stem2_relu", "ir1_project_bn", "ir2_project_bn", "pmb1", "pmb2_proj", "pmb3_proj"]
    shapes = [(128, 32, 8), (64, 16, 32), (64, 16, 48), (32, 16, 48), (32, 16, 48), (16, 8, 64), (8, 4, 72)]
    assert [network.get_layer(name).output.shape[1:] for name in names] == shapes
    assert network.get_layer("ir3_project_bn").output.shape[1:] == (4, 2, 128)


def test_activation_comes_after_pooling_or_not_at_all():
    names = [layer.name for layer in ir_mamba.build((33, 18, 2), 4, **SMALL).layers]
    start = names.index("pmb1")
    parts = ["pmb1", "pmb1_proj", "pmb1_group_norm", "pmb1_pool", "pmb1_gelu", "pmb2", "pmb2_proj", "pmb2_group_norm"]
    assert names[start : start + 9] == [*parts, "pmb2_gelu"]
    plain = [layer.name for layer in ir_mamba.build((33, 18, 2), 4, **SMALL, pmb_activation="none").layers]
    assert plain == [name for name in names if not name.endswith("gelu")]


def loop(u, delta, a, b, c):
    """The recurrence of selective_scan, token by token, in numpy."""
    state, outputs = np.zeros((len(u), *u.shape[2:], a.shape[-1])), []
    for t in range(u.shape[1]):
        added = (delta[:, t] * u[:, t])[..., None] * b[:, t, :, None, :]
        state = np.exp(delta[:, t, ..., None] * a) * state + added
        outputs.append((state * c[:, t, :, None, :]).sum(axis=-1))
    return np.stack(outputs, axis=1)


def scan_inputs(tokens, *, branches=3, inner=4, states=16):
    rng = np.random.default_rng(tokens)
    shape = (2, tokens, branches)
    delta = np.exp(rng.uniform(np.log(1e-3), np.log(1.0), (*shape, inner)))
    a = -rng.uniform(0.5, 16, (branches, inner, states))
    u, b, c = (rng.normal(size=(*shape, size)) for size in (inner, states, states))
    return [x.astype("float32") for x in (u, delta, a, b, c)]


@pytest.mark.parametrize(("tokens", "chunk"), [(512, 0), (512, 64), (130, 16), (33, 1), (7, 32), (1, 0)])
def test_scan_equals_a_loop(tokens, chunk):
    inputs = scan_inputs(tokens)
    expected = loop(*(x.astype("float64") for x in inputs))
    y = _mamba.selective_scan(*map(tf.constant, inputs), chunk=chunk)
    assert y.dtype == tf.float32
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize(("tokens", "chunk"), [(40, 0), (21, 4), (9, 9)])
def test_gradients_of_the_scan_are_those_of_a_loop(tokens, chunk):
    inputs = scan_inputs(tokens, states=5)
    weights = np.random.default_rng(0).normal(size=inputs[0].shape)

    def gradients(function, dtype):
        values = [tf.constant(x, dtype) for x in inputs]
        with tf.GradientTape() as tape:
            tape.watch(values)
            loss = tf.reduce_sum(function(*values) * tf.constant(weights, dtype))
        return tape.gradient(loss, values)

    def tf_loop(u, delta, a, b, c):
        state, outputs = 0.0, []
        for t in range(tokens):
            added = (delta[:, t] * u[:, t])[..., None] * b[:, t, :, None, :]
            state = tf.exp(delta[:, t, ..., None] * a) * state + added
            outputs.append(tf.reduce_sum(state * c[:, t, :, None, :], -1))
        return tf.stack(outputs, axis=1)

    expected = gradients(tf_loop, tf.float64)
    actual = gradients(lambda *x: _mamba.selective_scan(*x, chunk=chunk), tf.float32)
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-6 * np.abs(other).max())


def layer_of(branches, *, share, **settings):
    """A ParallelMamba of 12 channels at 5 x 3 tokens with random weights, and its weights by name."""
    settings = {"states": 6, "taps": 3, "expand": 2, "init": "mamba", "chunk": 4} | settings
    layer = _mamba.ParallelMamba(branches=branches, share=share, **settings)
    layer.build((None, 5, 3, 12))
    rng = np.random.default_rng(branches)
    for weight in layer.weights:
        weight.assign(weight + rng.uniform(-0.3, 0.3, weight.shape))
    return layer, {weight.name: np.array(weight, "float64") for weight in layer.weights}


def reference(x, weights, branches, share, *, states=6, taps=3):
    """ParallelMamba in numpy, from the formulas of the sheet, branch by branch and token by token."""

    def norm(x):
        centred = x - x.mean(axis=-1, keepdims=True)
        root = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
        return centred / root * weights["norm_weight"] + weights["norm_bias"]

    def silu(x):
        return x / (1 + np.exp(-x))

    def mamba(x, module):
        def part(name):
            return weights[f"mamba_{name}"].reshape(1 if share else branches, -1)[module]

        d = x.shape[-1]
        inner, rank = 2 * d, -(-d // 16)
        u, z = np.split(x @ part("in_proj_weight").reshape(2 * inner, d).T, 2, axis=-1)
        kernel, before = part("conv1d_weight").reshape(inner, taps), np.zeros((len(x), taps - 1, inner))
        padded = np.concatenate([before, u], axis=1)
        u = sum(padded[:, tap : tap + u.shape[1]] * kernel[:, tap] for tap in range(taps))
        u = silu(u + part("conv1d_bias"))
        delta, b, c = np.split(
            u @ part("x_proj_weight").reshape(rank + 2 * states, inner).T, [rank, rank + states], axis=-1
        )
        delta = np.log1p(np.exp(delta @ part("dt_proj_weight").reshape(inner, rank).T + part("dt_proj_bias")))
        a = -np.exp(part("A_log").reshape(1, inner, states))
        y = loop(u[:, :, None], delta[:, :, None], a, b[:, :, None], c[:, :, None])[:, :, 0] + part("D") * u
        return (y * silu(z)) @ part("out_proj_weight").reshape(d, inner).T

    tokens = norm(x.reshape(len(x), -1, x.shape[-1]))
    groups = np.split(tokens, branches, axis=-1)
    mixed = [mamba(group, 0 if share else index) + weights["skip_scale"] * group for index, group in enumerate(groups)]
    return norm(np.concatenate(mixed, axis=-1)).reshape(x.shape)


@pytest.mark.parametrize(("branches", "share"), [(1, False), (3, False), (3, True), (12, False)])
def test_layer_equals_numpy_branch_by_branch(branches, share):
    layer, weights = layer_of(branches, share=share)
    x = np.random.default_rng(0).normal(size=(2, 5, 3, 12)).astype("float32")
    np.testing.assert_allclose(layer(x), reference(x.astype("float64"), weights, branches, share), atol=1e-5)


def test_a_token_changes_no_earlier_ones():
    layer, _ = layer_of(3, share=False)
    x = np.random.default_rng(0).normal(size=(1, 5, 3, 12)).astype("float32")
    changed = x.copy()
    changed[0, 2, 1] += np.arange(12)  # token 7
    differs = np.any(np.array(layer(x)) != np.array(layer(changed)), axis=-1).ravel()
    assert list(differs) == [False] * 7 + [True] * 8


def test_norms_and_scan_compute_in_float32_under_mixed_precision(monkeypatch):
    seen, gated_scan, layer_norm = [], _mamba.gated_scan, _mamba.layer_norm

    def recorded(function):
        def call(*inputs, **settings):
            seen.extend(keras.tree.flatten(keras.tree.map_structure(lambda x: x.dtype, inputs)))
            return function(*inputs, **settings)

        return call

    monkeypatch.setattr(_mamba, "gated_scan", recorded(gated_scan))
    monkeypatch.setattr(_mamba, "layer_norm", recorded(layer_norm))
    layer, weights = layer_of(3, share=False, dtype="mixed_float16")
    x = np.random.default_rng(0).normal(size=(2, 5, 3, 12)).astype("float16")
    y = layer(x)
    assert y.dtype == tf.float16 and len(seen) == 2 * 3 + 8
    assert {keras.backend.standardize_dtype(dtype) for dtype in seen} == {"float32"}
    np.testing.assert_allclose(y, reference(x.astype("float64"), weights, 3, False), atol=0.02)


def test_group_norms_compute_in_float32():
    with_policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        network = ir_mamba.build((33, 18, 2), 4, **SMALL)
    finally:
        keras.config.set_dtype_policy(with_policy)
    assert network.get_layer("pmb1_group_norm").compute_dtype == "float32"
    assert network.get_layer("pmb1").compute_dtype == network.get_layer("pmb1_proj").compute_dtype == "float16"
    assert np.isfinite(network(np.ones((1, 33, 18, 2)))).all()


def initial(**settings):
    keras.utils.set_random_seed(0)
    network = ir_mamba.build((256, 64, 1), 10, **S1, **settings)
    return {weight.name: np.array(weight) for weight in network.get_layer("pmb2").weights}  # 2 branches of 24 channels


def test_initial_weights_are_those_of_mamba():
    weights = initial()
    steps = np.log1p(np.exp(weights["mamba_dt_proj_bias"].astype("float64")))
    assert 0.001 <= steps.min() < 0.002 and 0.05 < steps.max() <= 0.1 + 1e-6
    assert np.log(steps).mean() == pytest.approx(np.log(0.01), abs=0.3)
    np.testing.assert_allclose(np.exp(weights["mamba_A_log"].reshape(96, 16)), np.tile(np.arange(1, 17), (96, 1)), 1e-5)
    assert np.all(weights["mamba_D"] == 1) and np.all(weights["skip_scale"] == 1)
    bounds = {"in_proj": 24, "x_proj": 48, "dt_proj": 2, "out_proj": 48, "conv1d": 4}  # inputs of each
    for name, inputs in bounds.items():
        largest = np.abs(weights[f"mamba_{name}_weight"]).max()
        assert 0.95 * inputs**-0.5 < largest <= inputs**-0.5, name
    assert 0.45 < np.abs(weights["mamba_conv1d_bias"]).max() <= 0.5


def test_initial_weights_of_the_parent_overwrite_mambas():
    weights = initial(mamba_init="parent")
    for name in ("in_proj", "x_proj", "dt_proj", "out_proj"):
        assert weights[f"mamba_{name}_weight"].std() == pytest.approx(0.02, rel=0.2), name
    assert weights["mamba_conv1d_weight"].std() == pytest.approx((2 / (4 * 48)) ** 0.5, rel=0.1)
    assert not weights["mamba_dt_proj_bias"].any()
    assert 0.45 < np.abs(weights["mamba_conv1d_bias"]).max() <= 0.5
    np.testing.assert_array_equal(weights["mamba_A_log"], initial()["mamba_A_log"])


def test_dense_and_depthwise_kernels_start_as_the_parents():
    keras.utils.set_random_seed(0)
    network = ir_mamba.build((256, 64, 1), 10, **S1)
    # Linear: 0.02; convolutions: 2 / fan_out, of depthwise ones divided by the groups.
    expected = {"pmb2_proj": 0.02, "ir3_expand_conv": (2 / 155) ** 0.5, "ir3_depthwise_conv": (2 / 9) ** 0.5}
    for name, std in (expected | {"stem2_conv": (2 / 36) ** 0.5}).items():
        assert network.get_layer(name).kernel.numpy().std() == pytest.approx(std, rel=0.15), name


def state_dict_shapes(network):
    """Shapes of the state dict of a PyTorch twin, by the keys that `build` documents."""
    shapes = {}
    for layer in network.layers:
        share = getattr(layer, "share", None)
        for weight in layer.weights:
            if isinstance(layer, _mamba.ParallelMamba):
                key = weight.name.replace("mamba_", "mamba.").replace("_weight", ".weight").replace("_bias", ".bias")
                inner = (layer.inner, 1, layer.taps) if "conv1d.weight" in key else (layer.inner,)
                by_name = {"mamba.A_log": (layer.inner, layer.states), "mamba.D": inner}
                by_name |= dict.fromkeys(("mamba.dt_proj.bias", "mamba.conv1d.bias", "mamba.conv1d.weight"), inner)
                shape = tuple(weight.shape[1:]) if key.endswith("proj.weight") else by_name.get(key)
                stacked = shape if share or not shape else (layer.branches, *shape)
                shapes[f"{layer.name}.{key}"] = stacked or tuple(weight.shape)
            else:
                module = layer.name
                for part in ("_conv", "_bn", "_proj", "_group_norm", "_expand", "_depthwise", "_project"):
                    module = module.replace(part, "." + part[1:])
                part = to_keras.PARTS.get(weight.name, weight.name)
                shapes[f"{module}.{part}"] = to_keras.torch_shape(layer, weight)
    return shapes


@pytest.mark.parametrize(
    "changed",
    [
        S1,
        S2,
        S3,
        S1 | {"share_mamba": True},
        S1 | {"d_state": 8, "d_conv": 3, "expand": 3},
        S1 | {"pmbs": [[36, 1]], "pools": [2], "stem": [6, 12]},
    ],
)
def test_settings_are_guessed_from_the_shapes_of_a_state_dict(changed):
    network = ir_mamba.build((256, 64, 1), 7, **changed)
    shapes = state_dict_shapes(network)
    assert ir_mamba.SIGNATURE in shapes
    assert to_keras.match(network, shapes).fits
    assert ir_mamba.guess(shapes) == (7, DEFAULTS | changed)
    assert set(ir_mamba.ASSUMED) < set(DEFAULTS | changed)


def test_shapes_of_another_family_are_no_guess():
    with pytest.raises(LookupError):
        ir_mamba.guess({"head.weight": (10, 128, 1, 1)})


def test_weights_of_a_state_dict_arrive_in_the_originals_order():
    network = ir_mamba.build((33, 18, 2), 4, **SMALL)
    rng = np.random.default_rng(0)
    arrays = {key: rng.uniform(0.1, 0.5, shape) for key, shape in state_dict_shapes(network).items()}
    for target, (key,) in to_keras.match(network, {key: x.shape for key, x in arrays.items()}).keys:
        target.weight.assign(target.convert([arrays[key].astype("float32")]))
    layer = network.get_layer("pmb1")  # 3 branches of 4 channels, 8 inside
    np.testing.assert_allclose(layer.in_proj[2, 7], arrays["pmb1.mamba.in_proj.weight"][2, 7], rtol=1e-6)
    np.testing.assert_allclose(layer.conv[1, 5], arrays["pmb1.mamba.conv1d.weight"][1, 5, 0], rtol=1e-6)
    np.testing.assert_allclose(layer.a_log[8 * 16 + 3 * 16], arrays["pmb1.mamba.A_log"][1, 3, 0], rtol=1e-6)


@pytest.mark.parametrize("share", [False, True])
def test_both_forms_of_unequal_strides_compute_the_same(share):
    plain, foldable = (
        ir_mamba.build((33, 18, 2), 4, foldable=form, **SMALL, share_mamba=share) for form in (False, True)
    )
    assert [weight.path for weight in plain.weights] == [weight.path for weight in foldable.weights]
    rng = np.random.default_rng(0)
    foldable.set_weights([rng.uniform(0.1, 0.5, weight.shape) for weight in plain.weights])
    plain.set_weights(foldable.get_weights())
    x = rng.normal(size=(2, 33, 18, 2)).astype("float32")
    np.testing.assert_allclose(plain(x), foldable(x), rtol=1e-4)
    names = [layer.name for layer in plain.layers]
    assert names.index("ir2_depthwise_stride") < names.index("ir2_depthwise_bn")


@pytest.mark.slow
@pytest.mark.parametrize("settings", [SMALL, SMALL | {"share_mamba": True, "mamba_init": "parent"}])
def test_every_weight_has_a_gradient_and_the_network_learns(settings):
    keras.utils.set_random_seed(0)
    network = ir_mamba.build((33, 18, 2), 4, **settings)
    x, y = np.random.default_rng(0).normal(size=(16, 33, 18, 2)).astype("float32"), np.arange(16) % 4
    with tf.GradientTape() as tape:
        loss = keras.ops.sum(network(x, training=True)[:, 0])
    gradients = tape.gradient(loss, [weight.value for weight in network.trainable_weights])
    without = [w.path for w, g in zip(network.trainable_weights, gradients, strict=True) if g is None or not np.any(g)]
    assert without == []
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(optimizer=keras.optimizers.Adam(1e-2), loss=loss, run_eagerly=True)  # quicker for 6 steps
    losses = network.fit(x, y, epochs=6, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"stem": [3, 6]}, "stem = \\[3, 6\\]; it must be two multiples"),
        ({"stem": [4, 6]}, "stem = \\[4, 6\\]"),
        ({"stem": [4]}, "stem = \\[4\\]"),
        ({"blocks": [[8, 12], [12, 16]]}, "blocks = .* three pairs"),
        ({"blocks": [[8, 12], [12, 16], [16, 0]]}, "blocks = .* above 0"),
        ({"pmbs": []}, "pmbs = \\[\\]"),
        ({"pmbs": [[12, 3], [8, 5]]}, "\\[8, 5\\]; .* branches divide 12"),
        ({"pmbs": [[12, 3], [6, 4]]}, "\\[6, 4\\]; .* multiple of 4"),
        ({"pools": [2]}, "pools = \\[2\\]; .* 2 PMBs"),
        ({"pools": [2, 3]}, "pools = \\[2, 3\\]"),
        ({"d_state": 0}, "d_state = 0"),
        ({"d_conv": 0}, "d_conv = 0"),
        ({"expand": 0}, "expand = 0"),
        ({"chunk": -1}, "chunk = -1"),
        ({"pools": [2, 2]}, "the input is .* at least 25 x 13"),
    ],
)
def test_settings_out_of_range_are_refused(changed, message):
    shape = (24, 18, 2) if changed.get("pools") == [2, 2] else (33, 18, 2)
    with pytest.raises(UserError, match=f"models/ir_mamba: .*{message}"):
        ir_mamba.build(shape, 4, **(SMALL | changed))


def test_the_smallest_input_is_accepted():
    network = ir_mamba.build((25, 13, 2), 4, **(SMALL | {"pools": [2, 2]}))
    assert np.array(network(np.ones((1, 25, 13, 2)))).shape == (1, 4)
