"""Mamba on the channels of a spectrogram in parallel branches, and its scan.

Source:  Gu and Dao, "Mamba: linear-time sequence modeling with selective state spaces", 2023; in branches: Wu et al.,
         "UltraLight VM-UNet", 2024 (its PVMLayer).
Tokens are the positions of a spectrogram, all frames of the first band first. Weights have the original's order of
axes, stacked over the branches. Those that are not decayed in training are flat.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal

import keras
from keras import initializers, layers, ops

EPSILON = 1e-5  # of the layer norm
STEPS = (0.001, 0.1)  # of the discretisation at the start, with which b_dt is drawn
SMALLEST_STEP = 1e-4
PARENT_STD = 0.02  # of all dense weights where the parent's initialisation overwrites Mamba's


def selective_scan(
    u: keras.KerasTensor,
    delta: keras.KerasTensor,
    a: keras.KerasTensor,
    b: keras.KerasTensor,
    c: keras.KerasTensor,
    *,
    chunk: int,
) -> keras.KerasTensor:
    """y_t = h_t C_t of the states h_t = exp(delta_t A) h_(t-1) + delta_t u_t B_t, which start as 0.

    The tokens are cut into chunks. All chunks are computed at once, token by token, from a state of 0; then the state
    before each chunk, chunk by chunk; then what that adds to the chunk's outputs. That is 2 chunk + tokens / chunk
    steps on tensors of (batch, tokens / chunk, branches, inner, states) floats, of which two live at a time. Training
    stores four for every token: 4 x 4 bytes x batch x tokens x branches x inner x states.

    Args:
        u: (batch, tokens, branches, inner) float32.
        delta: Sizes of the steps, above 0, of the same shape.
        a: (1 or branches, inner, states), below 0.
        b: (batch, tokens, branches, states).
        c: (batch, tokens, branches, states).
        chunk: Number of tokens in a chunk; 0 for the square root of half the tokens, which takes the fewest steps.

    Returns:
        (batch, tokens, branches, inner) float32.
    """
    tokens = u.shape[1]
    chunk = min(chunk or math.ceil((tokens / 2) ** 0.5), tokens)
    chunks = -(-tokens // chunk)
    values = (delta[..., None], (delta * u)[..., None], b[..., None, :], c[..., None, :])
    steps = [_tokens_of_chunks(x, chunks, chunk) for x in values]
    outputs, spans, state = [], [], None  # a span is the sum of the chunk's deltas up to a token
    for delta_t, input_t, b_t, c_t in zip(*steps, strict=True):
        added = input_t * b_t  # (batch * chunks, branches, inner, states)
        state = added if state is None else ops.exp(delta_t * a) * state + added
        outputs.append(ops.sum(state * c_t, axis=-1))
        spans.append(spans[-1] + delta_t if spans else delta_t)
    y = ops.stack(outputs, axis=1)  # (batch * chunks, chunk, branches, inner)
    if chunks > 1:
        start = _states_before(state, ops.exp(spans[-1] * a), chunks)
        pairs = zip(spans, steps[-1], strict=True)
        y = y + ops.stack([ops.sum(ops.exp(span * a) * start * c_t, axis=-1) for span, c_t in pairs], axis=1)
    return ops.reshape(y, (-1, chunks * chunk, *u.shape[2:]))[:, :tokens]


def _tokens_of_chunks(x, chunks, chunk):
    """(batch, tokens, ...) -> for each place in a chunk (batch * chunks, ...), zeros after the last token."""
    missing = chunks * chunk - x.shape[1]
    if missing:
        x = ops.pad(x, ((0, 0), (0, missing), (0, 0), (0, 0), (0, 0)))
    return ops.unstack(ops.reshape(x, (-1, chunk, *x.shape[2:])), axis=1)


def _states_before(last, decay, chunks):
    """The state before every chunk, from the last states of chunks that start at 0, and the decay of whole chunks.

    All are (batch * chunks, branches, inner, states).
    """
    shape = last.shape[1:]
    last, decay = (ops.unstack(ops.reshape(x, (-1, chunks, *shape)), axis=1) for x in (last, decay))
    states = [ops.zeros_like(last[0])]
    for added, factor in zip(last[:-1], decay[:-1], strict=True):
        states.append(factor * states[-1] + added)
    return ops.reshape(ops.stack(states, axis=1), (-1, *shape))


def gated_scan(
    u: keras.KerasTensor,
    z: keras.KerasTensor,
    delta: keras.KerasTensor,
    b: keras.KerasTensor,
    c: keras.KerasTensor,
    weights: Sequence[keras.KerasTensor],
    *,
    chunk: int,
) -> keras.KerasTensor:
    """Mamba after its projections and before the last: the scan with the input added, times SiLU(z).

    Args:
        u: (batch, tokens, branches, inner) float32, after convolution and SiLU.
        z: Gate, of the same shape.
        delta: Of the same shape, before the bias and softplus.
        b: (batch, tokens, branches, states).
        c: (batch, tokens, branches, states).
        weights: dt_proj_bias, A_log and D, flat.
        chunk: As for selective_scan.

    Returns:
        (batch, tokens, branches, inner) float32.
    """
    inner, states = u.shape[-1], b.shape[-1]
    shapes = (inner,), (inner, states), (inner,)
    bias, a_log, d = (ops.reshape(x, (-1, *shape)) for x, shape in zip(weights, shapes, strict=True))
    y = selective_scan(u, ops.softplus(delta + bias), -ops.exp(a_log), b, c, chunk=chunk)
    return (y + d * u) * ops.silu(z)


def layer_norm(x: keras.KerasTensor, weight: keras.KerasTensor, bias: keras.KerasTensor) -> keras.KerasTensor:
    """Layer norm over the last axis, epsilon 1e-5.

    Args:
        x: Values of any shape, float32.
        weight: (channels,).
        bias: (channels,).
    """
    centred = x - ops.mean(x, axis=-1, keepdims=True)
    return centred * ops.rsqrt(ops.mean(ops.square(centred), axis=-1, keepdims=True) + EPSILON) * weight + bias


@keras.saving.register_keras_serializable(package="asc_tf")
class ParallelMamba(layers.Layer):
    """Layer norm, Mamba on each of several equal groups of channels, skip connection, the same layer norm again.

    y = norm(concat_i(Mamba_i(x_i) + skip_scale x_i)), x_i the i-th group of the channels of norm(x). Norms and scan
    compute in float32. All branches are computed together.

    Args:
        branches: Number of groups.
        share: Whether all groups pass through one Mamba.
        states: Size of the state of a channel (N).
        taps: Length of the causal convolution.
        expand: Factor of the channels inside Mamba.
        init: "mamba", or "parent": the initialisation of UltraLight VM-UNet, which overwrites Mamba's.
        chunk: As for selective_scan.
        name: Of the layer.
        trainable: Whether the weights are trained.
        dtype: Of the projections and the convolution.

    Attributes:
        weights_of_parts: Names of the weights of those parts that are in float in its int8 form, by the part's name.
    """

    weights_of_parts = {
        "norm": ("norm_weight", "norm_bias"),
        "scan": ("mamba_dt_proj_bias", "mamba_A_log", "mamba_D"),
        "norm_again": ("skip_scale", "norm_weight", "norm_bias"),
    }

    def __init__(
        self,
        *,
        branches: int,
        share: bool,
        states: int,
        taps: int,
        expand: int,
        init: Literal["mamba", "parent"],
        chunk: int,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
    ):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.branches, self.share, self.states, self.taps = branches, share, states, taps
        self.expand, self.init, self.chunk = expand, init, chunk

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates the weights, each stacked over the modules: one where `share`, else one a branch."""
        _, bands, frames, channels = input_shape
        self.tokens, self.channels = bands * frames, channels // self.branches
        self.inner, self.rank = self.expand * self.channels, math.ceil(self.channels / 16)
        modules = 1 if self.share else self.branches
        is_mamba, inner = self.init == "mamba", self.inner

        def linear(name, outputs, inputs):
            bound = inputs**-0.5
            uniform, normal = initializers.RandomUniform(-bound, bound), initializers.RandomNormal(stddev=PARENT_STD)
            shape = (modules, outputs, inputs)
            return self.add_weight(shape, uniform if is_mamba else normal, name=f"mamba_{name}_weight")

        def flat(name, size, initializer):
            return self.add_weight((size,), initializer, autocast=False, name=name)

        uniform = initializers.RandomUniform(-(self.taps**-0.5), self.taps**-0.5)
        normal = initializers.RandomNormal(stddev=(2 / (self.taps * inner)) ** 0.5)
        self.norm_weight = flat("norm_weight", channels, "ones")
        self.norm_bias = flat("norm_bias", channels, "zeros")
        self.in_proj = linear("in_proj", 2 * inner, self.channels)
        kernel_shape = (modules, inner, self.taps)
        self.conv = self.add_weight(kernel_shape, uniform if is_mamba else normal, name="mamba_conv1d_weight")
        self.conv_bias = self.add_weight((modules * inner,), uniform.clone(), name="mamba_conv1d_bias")
        self.x_proj = linear("x_proj", self.rank + 2 * self.states, inner)
        self.dt_proj = linear("dt_proj", inner, self.rank)
        self.dt_bias = flat("mamba_dt_proj_bias", modules * inner, _step_bias if is_mamba else "zeros")
        self.a_log = flat("mamba_A_log", modules * inner * self.states, self._initial_a_log)
        self.d = flat("mamba_D", modules * inner, "ones")
        self.out_proj = linear("out_proj", self.channels, inner)
        self.skip_scale = flat("skip_scale", 1, "ones")

    def _initial_a_log(self, shape, dtype=None):
        """ln(n + 1) of the n-th state of every channel."""
        row = ops.log(ops.arange(1, self.states + 1, dtype="float32"))
        return ops.cast(ops.tile(row, shape[0] // self.states), dtype)

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Values of the same shape.

        Args:
            x: (batch, bands, frames, channels), any float type.
        """
        _, bands, frames, channels = x.shape
        x = ops.reshape(ops.cast(x, "float32"), (-1, self.tokens, channels))
        groups = self._normalised(x, (-1, self.tokens, self.branches, self.channels))
        mixed = self._mamba(ops.cast(groups, self.compute_dtype))
        y = ops.cast(mixed, "float32") + self.skip_scale * groups
        y = self._normalised(ops.reshape(y, (-1, self.tokens, channels)), (-1, bands, frames, channels))
        return ops.cast(y, self.compute_dtype)

    def _normalised(self, x, shape):
        return ops.reshape(layer_norm(x, self.norm_weight, self.norm_bias), shape)

    def _mamba(self, x):
        """(batch, tokens, branches, channels) of every branch, through its module."""
        u, z = ops.split(self._projected(x, self.in_proj), 2, axis=-1)  # (batch, tokens, branches, inner)
        u = ops.silu(self._convolved(u))
        sizes = (self.rank, self.rank + self.states)
        delta, b, c = ops.split(self._projected(u, self.x_proj), sizes, axis=-1)
        delta = self._projected(delta, self.dt_proj)
        in_float = [ops.cast(value, "float32") for value in (u, z, delta, b, c)]
        y = gated_scan(*in_float, (self.dt_bias, self.a_log, self.d), chunk=self.chunk)
        return self._projected(ops.cast(y, self.compute_dtype), self.out_proj)

    def _projected(self, x, weight):
        """Product of (batch, tokens, branches, inputs) with the weight (modules, outputs, inputs) of every branch."""
        if self.share:
            return ops.matmul(x, ops.transpose(weight[0]))
        return ops.einsum("btgi,goi->btgo", x, weight)

    def _convolved(self, x):
        """Convolution of each channel over its token and the `taps` - 1 before it; the shape stays."""
        width = self.branches if self.share else 1
        image = ops.reshape(x, (-1, self.tokens, width, self.branches * self.inner // width))
        image = ops.pad(image, ((0, 0), (self.taps - 1, 0), (0, 0), (0, 0)))
        kernel = ops.transpose(ops.reshape(self.conv, (1, 1, -1, self.taps)), (3, 0, 2, 1))  # (taps, 1, channels, 1)
        convolved = ops.depthwise_conv(image, kernel) + self.conv_bias
        return ops.reshape(convolved, (-1, *x.shape[1:]))

    def rule_t_macs(self) -> int:
        """MACs for one clip as the challenge's counter counts the original.

        A convolution, padded on both sides, and x_proj at every token, out_proj and the norms once, the rest nothing.
        """
        convolution = (self.taps + 1) * self.inner * (self.tokens + self.taps - 1)
        x_proj = (self.rank + 2 * self.states) * self.inner * self.tokens
        return self.branches * (convolution + x_proj + self.channels * self.inner + 4 * self.channels)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> Sequence[int | None]:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("branches", "share", "states", "taps", "expand", "init", "chunk")
        return super().get_config() | {name: getattr(self, name) for name in names}


def _step_bias(shape, dtype=None):
    """Biases whose softplus is log-uniform in STEPS."""
    steps = ops.exp(initializers.RandomUniform(math.log(STEPS[0]), math.log(STEPS[1]))(shape, dtype))
    steps = ops.maximum(steps, SMALLEST_STEP)
    return steps + ops.log(-ops.expm1(-steps))
