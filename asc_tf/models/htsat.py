"""HTS-AT, a Swin transformer on a spectrogram that is folded into a square.

Source:  Chen et al., "HTS-AT: a hierarchical token-semantic audio transformer for sound classification and detection",
         ICASSP 2022 (github.com/RetroCirce/HTS-Audio-Transformer).
Input:   (bands, frames, channels) log-mel; 64 bands, 32 kHz, hop 10 ms for the public weights.
Output:  (classes,) logits, the means over time.
Size:    spec_size 256, width 96, depths 2, 2, 6, 2, heads 4, 8, 16, 32, window 8, 64 bands: 27,580,578 parameters for
         10 classes, 29,963,431 for 527. The original has 110 and 278,256 more in head, which nothing reads.

The original's masks in training (two stripes of up to 64 frames, two of up to 8 bands) are left to the recipe's
augmentation.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import keras
import numpy as np
from keras import layers, ops

from asc_tf.checkpoints.guess import Guess, Shapes
from asc_tf.errors import UserError
from asc_tf.models import _swin, _transformer
from asc_tf.models._blocks import BATCH_NORM, checked_input
from asc_tf.models._torch_defaults import uniform_with_bias
from asc_tf.recipe.registry import Allowed

SIGNATURE = "tscam_conv.weight"
ASSUMED = ("spec_size", "stride", "drop_path", "tile")
PUBLISHED_SIZE = 256
# Frames that a step of the token-semantic convolution reads.
SEMANTIC_FRAMES = 3


def build(
    input_shape: Sequence[int],
    classes: int,
    *,
    spec_size: Annotated[int, Allowed(1)],
    width: Annotated[int, Allowed(1)],
    depths: Annotated[list[int], Allowed(1)],
    heads: list[int],
    window: Annotated[int, Allowed(1)],
    patch: int,
    stride: int,
    drop_path: Annotated[float, Allowed(0, 1)],
    tile: bool = True,
) -> keras.Model:
    """The network, every layer named after the original's module, without softmax.

    Args:
        input_shape: (bands, frames, channels). The spectrogram is folded into spec_size // bands chunks one above the
            other; this number must divide spec_size, and frames be at most their product.
        classes: Number of classes.
        spec_size: Height and width of the square; 256 is published.
        width: Size of a token in the first stage, doubled from stage to stage; 96 is published.
        depths: Number of blocks of every stage; [2, 2, 6, 2] is published.
        heads: Number of attention heads of every stage; [4, 8, 16, 32] is published.
        window: Rows and columns of a window, in tokens; the whole map where that is smaller; 8 is published.
        patch: Rows and columns of a patch; 4 are published.
        stride: Rows and columns from patch to patch; 4 are published.
        drop_path: Share of the clips that skip a branch in training, in the last block; linear from 0 in the first.
            0.1 is published.
        tile: Whether a short clip is repeated in time, as often as it fits whole, before it is stretched; the original
            does so in inference only.

    Returns:
        A functional network to (batch, classes) logits. The embedding (batch, width of the last stage) is the mean
        over rows and columns of the output of the layer "embedding".

    Raises:
        UserError: A setting is out of range.
    """
    where = "models/htsat"
    shape = checked_input(where, input_shape, classes)
    _swin.check(where, width=width, depths=depths, heads=heads, window=window, drop_path=drop_path)
    chunks = _chunks(shape, spec_size)
    sizes = _map_sizes(spec_size, patch, stride, window, len(depths), chunks)

    inputs = keras.Input(shape, name="spectrogram")
    x = layers.BatchNormalization(axis=1, **BATCH_NORM, name="bn0")(inputs)
    x = BicubicResize(spec_size // chunks, spec_size * chunks, tile=tile, name="resize")(x)
    x = _stacked(x, "fold", chunks)
    if patch > stride:
        x = layers.ZeroPadding2D((patch - stride) // 2, name="patch_embed_pad")(x)
    x = _transformer.patches(x, "patch_embed_proj", width, [patch, patch], [stride, stride])
    windows = [min(window, size) for size in sizes]
    x = _swin.stages(
        _swin.norm(x, "patch_embed_norm"), depths=depths, heads=heads, windows=windows, drop_path=drop_path
    )
    return keras.Model(inputs, _head(x, chunks, classes), name="htsat")


def _stacked(x, name, chunks):
    """(batch, bands, frames, channels) -> (batch, chunks * bands, frames / chunks, channels), chunk above chunk."""
    _, bands, frames, channels = x.shape
    x = layers.Reshape((bands, chunks, frames // chunks, channels), name=f"{name}_split")(x)
    x = layers.Permute((2, 1, 3, 4), name=f"{name}_order")(x)
    return layers.Reshape((chunks * bands, frames // chunks, channels), name=name)(x)


def _head(x, chunks, classes):
    """The chunks side by side again, a convolution to the classes ("token-semantic"), mean over time."""
    _, rows, columns, width = x.shape
    x = layers.Reshape((chunks, rows // chunks, columns, width), name="unfold_split")(x)
    x = layers.Permute((2, 1, 3, 4), name="unfold_order")(x)
    x = layers.Reshape((rows // chunks, chunks * columns, width), name="embedding")(x)
    kernel = (rows // chunks, SEMANTIC_FRAMES)
    initial = uniform_with_bias(kernel[0] * kernel[1] * width)
    x = layers.ZeroPadding2D((0, SEMANTIC_FRAMES // 2), name="tscam_conv_pad")(x)
    x = layers.Conv2D(classes, kernel, **initial, name="tscam_conv")(x)
    return layers.GlobalAveragePooling2D(name="logits")(x)


def _chunks(shape, spec_size):
    """Number of chunks that a spectrogram is folded into."""
    where, (bands, frames, _) = "models/htsat", shape
    chunks = spec_size // bands
    if not chunks or spec_size % chunks:
        raise UserError(
            f"{where}: spec_size = {spec_size}, {bands} bands; spec_size // bands = {chunks} must divide spec_size."
        )
    if frames > spec_size * chunks:
        raise UserError(f"{where}: {frames} frames; there must be at most {spec_size * chunks}; use shorter clips.")
    return chunks


def _map_sizes(spec_size, patch, stride, window, stages, chunks):
    """Rows, which are also the columns, of the map of every stage."""
    where = "models/htsat"
    if stride < 1 or patch < stride or (patch - stride) % 2 or spec_size % stride:
        raise UserError(
            f"{where}: patch = {patch}, stride = {stride}; the patch must be as large or larger by an even number, and "
            f"spec_size = {spec_size} a multiple of the stride."
        )
    sizes = [spec_size // stride / 2**stage for stage in range(stages)]
    if any(size % min(window, size) or size % 1 for size in sizes) or sizes[-1] % chunks:
        raise UserError(
            f"{where}: spec_size = {spec_size}; the maps of the stages, {sizes} rows, must be whole windows of "
            f"{window} or smaller, and the last a multiple of the {chunks} chunks."
        )
    return [int(size) for size in sizes]


def guess(shapes: Shapes) -> Guess:
    """Settings that fit the shapes of a state dict.

    Several sizes of the square fit most shapes: it is 256 where that fits, or else the smallest that does.

    Args:
        shapes: Shape of every tensor by key.

    Raises:
        LookupError: A key of the family is missing.
        ValueError: The shapes are not those of the family.
    """
    settings = _swin.guess_stages(shapes)
    settings |= {"spec_size": _spec_size(shapes, settings), "stride": settings["patch"]}
    return Guess(shapes[SIGNATURE][0], settings | {"drop_path": 0.1, "tile": True})


def _spec_size(shapes, settings):
    """A size of the square that fits the shapes."""
    bands, rows = shapes["bn0.weight"][0], shapes[SIGNATURE][2]
    windows = [_swin.window_of(shapes, stage) for stage in range(len(settings["depths"]))]
    step = settings["patch"] * 2 ** (len(windows) - 1)
    for size in (PUBLISHED_SIZE, *range(step, 16 * PUBLISHED_SIZE, step)):
        last, chunks = size // step, size // bands
        expected = [min(windows[0], last * 2**stage) for stage in reversed(range(len(windows)))]
        if chunks and size % step == 0 and rows * chunks == last and windows == expected:
            return size
    raise ValueError(f"no spec_size fits {bands} bands, windows of {windows} and {rows} rows of {SIGNATURE}")


@keras.saving.register_keras_serializable(package="asc_tf")
class BicubicResize(layers.Layer):
    """Stretches a spectrogram to a size by bicubic interpolation, as torch does with align_corners = True.

    Args:
        bands: Bands of the result, at least those of the input.
        frames: Frames of the result, at least those of the input.
        tile: Whether the input is first repeated in time as often as it fits whole.
        name: Of the layer.
        trainable: Without effect: there are no weights.
        dtype: Of the computation.
    """

    def __init__(
        self,
        bands: int,
        frames: int,
        *,
        tile: bool,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
    ):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.bands, self.frames, self.tile = bands, frames, tile

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Computes the matrices, (bands or frames of the result, those of the input).

        Args:
            input_shape: (batch, bands, frames, channels).
        """
        _, bands, frames, _ = input_shape
        times = self.frames // frames if self.tile else 1
        self._of_bands = bicubic_matrix(bands, self.bands)
        # A column of the matrix for each repetition; their sum does the same to the frames once.
        self._of_frames = bicubic_matrix(frames * times, self.frames).reshape(self.frames, times, frames).sum(axis=1)

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """(batch, bands, frames, channels) of the result."""
        if x.shape[2] != self.frames:
            x = ops.einsum("bmfc,nf->bmnc", x, ops.cast(self._of_frames, x.dtype))
        if x.shape[1] != self.bands:
            x = ops.einsum("bmfc,nm->bnfc", x, ops.cast(self._of_bands, x.dtype))
        return x

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """(batch, bands, frames, channels) of the result."""
        return (input_shape[0], self.bands, self.frames, input_shape[3])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return super().get_config() | {"bands": self.bands, "frames": self.frames, "tile": self.tile}


def bicubic_matrix(length: int, size: int) -> np.ndarray:
    """Matrix of bicubic interpolation along an axis: first and last points stay, the ends are repeated beyond.

    Args:
        length: Number of points before.
        size: Number of points after.

    Returns:
        (size, length) in float32.

    Source: torch.nn.functional.interpolate(mode="bicubic", align_corners=True), whose kernel has a = -0.75.
    """
    positions = np.arange(size) * ((length - 1) / max(size - 1, 1))
    matrix = np.zeros((size, length))
    for tap in range(-1, 3):
        points = np.floor(positions).astype(int) + tap
        np.add.at(matrix, (np.arange(size), points.clip(0, length - 1)), _kernel(np.abs(positions - points)))
    return matrix.astype("float32")


def _kernel(distance, a=-0.75):
    """Keys's cubic convolution kernel at a distance of up to 2."""
    near = (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    far = a * (distance**3 - 5 * distance**2 + 8 * distance - 4)
    return np.where(distance <= 1, near, far)
