"""What the rules of DCASE Task 1 ask of a package, by year.

Source:  dcase.community, challenge2024 and challenge2025, pages of Task 1 and of submission; the official validator of
         2024 (toni-heittola/dcase2024_task1_submission_validator); the inference package of 2025
         (CPJKU/dcase2025_task1_inference).
"""

from typing import NamedTuple

from asc_tf.cost.limits import MAX_BYTES, MAX_MACS
from asc_tf.data.datasets.tau import SCENES

FIELDS = ("filename", "scene_label", *SCENES)  # of the output, separated by tabs
DEVICES = ("a", "b", "c", "s1", "s2", "s3", "s4", "s5", "s6")
MOST_ENTRIES = 4
MOST_ABBREVIATION = 10  # characters
DESCRIPTION = (  # fields of system.description
    "input_sampling_rate", "acoustic_features", "embeddings", "data_augmentation", "machine_learning_method",
    "ensemble_method_subsystem_count", "decision_making", "external_data_usage", "complexity_management", "pipeline",
    "framework",
)  # fmt: skip
DESCRIPTION_2025 = (
    "input_sampling_rate", "acoustic_features", "data_augmentation", "machine_learning_method", "external_data_usage",
    "complexity_management", "pipeline", "framework", "device_information", "num_models_at_inference",
    "model_weight_sharing",
)  # fmt: skip
GENERAL, OF_DEVICES = "general", "device_specific"  # blocks of the results of 2025


class Year(NamedTuple):
    """The rules of one year.

    Args:
        splits: Splits whose outputs are asked for; ("",) where the training set is fixed.
        blocks: Names of the blocks of the results: every split, or the general network and those of devices, of which
            a system may have one kind.
        files: Number of files of the evaluation set.
        complexity: Fields of system.complexity.
        system: Fields of system.
        max_bytes: Limit of the parameters, in bytes.
        max_macs: Limit of multiply-accumulates a second.
        description: Fields of system.description.
        by_device: Whether networks may be of one device, and the inference module is asked for. The limits hold for
            every network, and the complexity is that of the largest.
    """

    splits: tuple[str, ...]
    blocks: tuple[str, ...]
    files: int
    complexity: tuple[str, ...]
    system: tuple[str, ...]
    description: tuple[str, ...]
    max_bytes: int = MAX_BYTES
    max_macs: int = MAX_MACS
    by_device: bool = False

    def output(self, label: str, split: str) -> str:
        """Name of the output file of a split."""
        return f"{label}.output.{split}.csv" if split else f"{label}.output.csv"


_SPLITS = ("split_5", "split_10", "split_25", "split_50", "split_100")
YEARS = {
    2024: Year(
        splits=_SPLITS,
        blocks=_SPLITS,
        files=135_730,
        complexity=("total_model_size", "total_parameters", "total_parameters_non_zero", "memory_use", "macs"),
        system=("description", "complexity", "energy_consumption", "external_datasets", "source_code"),
        description=DESCRIPTION,
    ),
    2025: Year(
        splits=("",),
        blocks=(GENERAL, OF_DEVICES),
        files=135_730,
        complexity=("total_model_size", "total_parameters", "macs"),
        system=("description", "complexity", "external_datasets", "inference_code"),
        description=DESCRIPTION_2025,
        by_device=True,
    ),
}
