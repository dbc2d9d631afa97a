"""Table of public weights: what they are, where they are, and the recipe that they fit.

Sums are those of files that were imported with this project ("imported"), or that a public source states ("stated" by
another project that uses the file; not compared with the file here). Where none is known, it is said.
"""

from typing import NamedTuple

from asc_tf.errors import UserError, nearest
from asc_tf.recipe import resolve
from asc_tf.recipe.schema import Recipe

_EFFICIENTAT = "https://github.com/fschmid56/EfficientAT"
_ICASSP2023 = "Schmid et al., Efficient large-scale audio tagging via transformer-to-CNN KD, ICASSP 2023"
_DYMN = "Schmid et al., Dynamic convolutional neural networks as efficient pre-trained audio models, 2023"


class PublicWeights(NamedTuple):
    """A public file of weights.

    Args:
        what: Network, data and published figure.
        paper: Where it is described.
        page: Address of its description.
        url: Address of the file; empty where it has to be fetched by hand from the page.
        licence: Its licence, or that none is stated.
        recipe: The shipped recipe that it fits.
        overrides: Keys of the recipe that it needs otherwise, as of `--set`.
        size_bytes: Size of the file; None where it is not known.
        sha256: SHA-256 of the file; None where it is not known.
        md5: MD5 of the file, where that is what is published.
        source: Where size and sums are from; empty where none is known.
    """

    what: str
    paper: str
    page: str
    url: str
    licence: str
    recipe: str
    overrides: tuple[str, ...] = ()
    size_bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None
    source: str = ""

    @property
    def file(self) -> str:
        """Name of the file."""
        return self.url.partition("?")[0].rpartition("/")[2].replace("%3D", "=")


def _mn(width: float, name: str, m_ap: str, **known: object) -> PublicWeights:
    return PublicWeights(
        what=f"MN{round(width * 10):02}, AudioSet, 527 classes, mAP {m_ap}",
        paper=_ICASSP2023,
        page=_EFFICIENTAT,
        url=f"{_EFFICIENTAT}/releases/download/v0.0.1/{name}",
        licence="MIT",
        recipe="mn_audioset",
        overrides=(f"model.width={width}",),
        **known,
    )


def _dymn(width: float, name: str, figure: str) -> PublicWeights:
    return PublicWeights(
        what=f"DyMN{round(width * 10):02}, AudioSet, 527 classes{figure}",
        paper=_DYMN,
        page=_EFFICIENTAT,
        url=f"{_EFFICIENTAT}/releases/download/v0.0.1/{name}",
        licence="MIT",
        recipe="dymn_audioset",
        overrides=(f"model.width={width}",),
    )


PUBLIC = {
    "mn04-audioset": _mn(
        0.4,
        "mn04_as_mAP_432.pt",
        "0.432",
        size_bytes=4_066_513,
        sha256="899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c",
        source="imported",
    ),
    "mn05-audioset": _mn(0.5, "mn05_as_mAP_443.pt", "0.443"),
    "mn10-audioset": _mn(1.0, "mn10_as_mAP_471.pt", "0.471", size_bytes=19_708_753, source="size stated"),
    "mn20-audioset": _mn(2.0, "mn20_as_mAP_478.pt", "0.478"),
    "mn30-audioset": _mn(3.0, "mn30_as_mAP_482.pt", "0.482"),
    "dymn04-audioset": _dymn(0.4, "dymn04_as.pt", ""),
    "dymn10-audioset": _dymn(1.0, "dymn10_as.pt", ""),
    "dymn20-audioset": _dymn(2.0, "dymn20_as_mAP_493.pt", ", mAP 0.493"),
    "passt-audioset": PublicWeights(
        what="PaSST-S, patches 16, stride 10, AudioSet, 527 classes, mAP 0.476",
        paper="Koutini et al., Efficient training of audio transformers with patchout, Interspeech 2022",
        page="https://github.com/kkoutini/PaSST",
        url="https://github.com/kkoutini/PaSST/releases/download/v0.0.1-audioset/passt-s-f128-p16-s10-ap.476-swa.pt",
        licence="Apache-2.0",
        recipe="passt_audioset",
        sha256="302903fa8c4aee817b11dc982da0b29aaf8d11a3e722420476d0a12c9db70c2c",
        source="stated",
    ),
    "ast-audioset": PublicWeights(
        what="AST base 384, stride 10, AudioSet, 527 classes, mAP 0.459",
        paper="Gong et al., AST: Audio Spectrogram Transformer, Interspeech 2021",
        page="https://github.com/YuanGongND/ast",
        url="https://www.dropbox.com/s/ca0b1v2nlxzyeb4/audioset_10_10_0.4593.pth?dl=1",
        licence="BSD-3-Clause",
        recipe="ast_audioset",
    ),
    "htsat-audioset": PublicWeights(
        what="HTS-AT, AudioSet, 527 classes (HTSAT_AudioSet_Saved_1.ckpt)",
        paper="Chen et al., HTS-AT: A hierarchical token-semantic audio transformer, ICASSP 2022",
        page="https://github.com/RetroCirce/HTS-Audio-Transformer",
        url="",
        licence="MIT",
        recipe="htsat_audioset",
        sha256="49804bf7767809be5d5bfe9dc25f401442e0d24f242dded6b6dabea56bb645b0",
        source="stated",
    ),
    "convnext-audioset": PublicWeights(
        what="ConvNeXt-Tiny, AudioSet, 527 classes, mAP 0.471",
        paper="Pellegrini et al., Adapting a ConvNeXt model to audio classification on AudioSet, Interspeech 2023",
        page="https://zenodo.org/record/8020843",
        url="https://zenodo.org/record/8020843/files/convnext_tiny_471mAP.pth?download=1",
        licence="none stated for the weights; the code is MIT",
        recipe="convnext_audioset",
        md5="e069ecd1c7b880268331119521c549f2",
        source="stated",
    ),
    "cp-mobile-dcase2023": PublicWeights(
        what="CP-Mobile with GRN of the winners of DCASE 2023 Task 1, TAU 2022, 10 classes",
        paper="Schmid et al., CP-JKU submission to DCASE23: Efficient acoustic scene classification with CP-Mobile",
        page="https://github.com/fschmid56/cpjku_dcase23",
        url="https://github.com/fschmid56/cpjku_dcase23/raw/main/DCASE23_Task1/c0a7nzin/checkpoints/"
        "epoch%3D149-step%3D81900.ckpt",
        licence="MIT",
        recipe="cpjku2023_cp_mobile",
        size_bytes=1_637_055,
        sha256="41a1ff72cadb90f6ce0345ed961822f7d0a77ab92b5fcafe9e07d00d891ce118",
        source="imported",
    ),
    "tf-sepnet-dcase2025": PublicWeights(
        what="TF-SepNet-64, general model, DCASE 2025 Task 1 (Zhou_XJTLU), TAU 2022, 10 classes",
        paper="Cai et al., TF-SepNet, ICASSP 2024; Zhou, technical report, DCASE 2025",
        page="https://dcase.community/challenge2025/task-low-complexity-acoustic-scene-classification-with-device-"
        "information-results",
        url="",
        licence="none stated",
        recipe="tf_sepnet2025",
        size_bytes=1_754_164,
        sha256="b2cffca4b7902561a799023b4cbd66946e13badf075dcb2918f9ff67a00f6d12",
        source="imported",
    ),
    "tan-cnn-gru-dcase2025": PublicWeights(
        what="CNN-GRU, one model for all devices, DCASE 2025 Task 1 (Tan_SNTLNTU), TAU 2022, 10 classes",
        paper="Tan, technical report, DCASE 2025",
        page="https://dcase.community/challenge2025/task-low-complexity-acoustic-scene-classification-with-device-"
        "information-results",
        url="",
        licence="none stated",
        recipe="tan2025_cnn_gru",
        size_bytes=150_641,
        sha256="ce8b35ba34c151e538e76ad97a22c50f13eb5ece0cda3f4d054ab5fed4731afc",
        source="imported",
    ),
    "yamnet-256": PublicWeights(
        what="YAMNet-256, the first layers of YAMNet, no classes: an embedding of 256",
        paper="github.com/tensorflow/models, research/audioset/yamnet; cut by STMicroelectronics",
        page="https://github.com/STMicroelectronics/stm32ai-modelzoo",
        url="",
        licence="Apache-2.0",
        recipe="yamnet256",
        size_bytes=610_472,
        sha256="dfa6066b3f3bece880e9813b05cffb6a8328fe3da832f62401ce553dd380d2b3",
        source="imported",
    ),
}


def find(name: str) -> PublicWeights:
    """The public weights of a name.

    Args:
        name: A key of PUBLIC.

    Raises:
        UserError: There are none.
    """
    if name not in PUBLIC:
        raise UserError(f"there are no public weights '{name}'. {nearest(name, PUBLIC)}")
    return PUBLIC[name]


def fitting(recipe: Recipe) -> list[str]:
    """Names of the public weights of a shipped recipe's network, in the order of PUBLIC.

    Args:
        recipe: The recipe, with any settings.
    """
    of_recipe = {name: weights for name, weights in PUBLIC.items() if weights.recipe == recipe.name}
    return [name for name, one in of_recipe.items() if resolve.load(one.recipe, one.overrides).model == recipe.model]
