"""Names of the files in a run folder.

recipe.toml            resolved recipe; evaluate, predict and export read this copy
labels.txt             classes in the order of the network's outputs
clips.csv.gz           file, class, split and fingerprint of every clip that the run was made from
normalisation.npz      mean and std of every band, where the recipe has them measured
log.csv, tensorboard/  one row an epoch
state.npz              everything needed to resume: weights, optimizer, epoch, log
weights/               best.weights.h5 (by validation), last.weights.h5
digests.json           SHA-256 of the files that make up the trained network, written when training ends
import.txt             where the keys of a checkpoint went, in a run that was imported instead of trained
untrained.txt          weights of the head of an imported run that are initial ones
quantise/              the same for quantisation-aware training; recipe.toml where another recipe quantised the run
teacher_outputs/       outputs of this run for its students, stored clip by clip; those of a run that a recipe names as
                       a teacher are in a folder NAME-outputs-DIGEST beside the student's run
teachers.json          digests of the runs that its recipe names as teachers
ensemble.json          fitted weights of its own teachers, where the recipe has them fitted
export/                model.tflite and model.json that describes its use, calibration.csv, parity.json and .txt,
                       model_float16.tflite and model_float16.json, wave_to_scene.tflite
per_device/            runs of the networks of single devices, and export/devices.json, the table of them
unfinished/, new/      files that are being made to replace others, and such that are about to (see replace.py)
mlflow.json            the MLflow run that this run is written to, where the recipe has one
times.json             seconds and memory of the phases of the run
members.json           folders of the members of a system of several networks, whose files are in export/ too
report.html            the evaluation as a page that needs no other file; MODEL_CARD.md
predictions.npz        probabilities of the tested segments by every network, with labels and recordings
validation.json        scores on the validation split, where a search needs them
metrics.json           written last: a run that has it is finished
"""

RECIPE = "recipe.toml"
LABELS = "labels.txt"
CLIPS = "clips.csv.gz"
NORMALISATION = "normalisation.npz"
LOG, TENSORBOARD = "log.csv", "tensorboard"
STATE = "state.npz"
BEST_WEIGHTS, LAST_WEIGHTS = "weights/best.weights.h5", "weights/last.weights.h5"
DIGESTS = "digests.json"
IMPORT_REPORT = "import.txt"
UNTRAINED = "untrained.txt"
TEACHER_OUTPUTS = "teacher_outputs"
TEACHERS = "teachers.json"
ENSEMBLE = "ensemble.json"
MLFLOW = "mlflow.json"
TIMES = "times.json"
MEMBERS = "members.json"
VALIDATION = "validation.json"
METRICS = "metrics.json"
PREDICTIONS = "predictions.npz"
REPORT, MODEL_CARD = "report.html", "MODEL_CARD.md"

QAT_STATE = "quantise/state.npz"  # of quantisation-aware training, after every epoch
QAT_LOG = "quantise/log.csv"
QUANTISE_RECIPE = "quantise/recipe.toml"  # where the int8 file is not made by the run's own recipe
CALIBRATION_CLIPS = "export/calibration.csv"
INT8 = "export/model.tflite"
FLOAT16, FLOAT16_METADATA = "export/model_float16.tflite", "export/model_float16.json"
WAVE, LITERT_SCRIPT = "export/wave_to_scene.tflite", "export/predict_litert.py"
METADATA = "export/model.json"
PER_DEVICE, DEVICES = "per_device", "export/devices.json"
SYSTEM = "export/system.json"  # of a system: its members' files and how their outputs are fused
PARITY, PARITY_TABLE, PARITY_PLOT = "export/parity.json", "export/parity.txt", "export/parity.png"

UNFINISHED, NEW = "unfinished", "new"  # folders of files that replace others together

# Files that the network's outputs depend on.
NETWORK = (RECIPE, LABELS, NORMALISATION, BEST_WEIGHTS)

# Files that belong to the int8 file and are removed when another is made.
OF_INT8 = (
    QAT_STATE, QAT_LOG, QUANTISE_RECIPE, CALIBRATION_CLIPS, INT8, WAVE, LITERT_SCRIPT, METADATA, PARITY, PARITY_TABLE,
    PARITY_PLOT,
)  # fmt: skip

# Files that are made from the weights of a run, or are these weights, and are removed when it is trained anew.
OF_WEIGHTS = (
    LOG, BEST_WEIGHTS, LAST_WEIGHTS, NORMALISATION, ENSEMBLE, MLFLOW, TIMES, MEMBERS, SYSTEM, UNTRAINED, DIGESTS,
    FLOAT16, FLOAT16_METADATA, DEVICES, PREDICTIONS, VALIDATION, REPORT, MODEL_CARD, *OF_INT8,
)  # fmt: skip


OF_DEVICES = "_per_device"  # end of the name of a network in metrics.json that is another for each device


def confusion(name: str) -> str:
    """Picture of the confusion matrix of a network of the run: "float" or "int8"."""
    return f"confusion_{name}.png"
