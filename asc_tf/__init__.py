"""Low-complexity acoustic scene classification, from audio files to an int8 TFLite file.

    recipe = asc_tf.load_recipe("quickstart")        # a shipped recipe or a TOML file
    run = asc_tf.train(recipe, "runs/quickstart")    # everything that the recipe needs
    run = asc_tf.load_run("runs/quickstart")         # a trained run
    run.predict("sound.wav")                         # (segments, classes) probabilities
    run.form("tflite")                               # its int8 file, as a function from batches to logits

load_recipe(recipe, overrides=())   the resolved Recipe of a shipped name or a TOML file
train(recipe, out, resume=False)    trains a recipe with all that it depends on; returns the TrainedRun
load_run(path)                      a TrainedRun: predict, embeddings, network, front_end, labels, form
predict_files(run, names)           predictions of many files and folders, one after the other
evaluate(run)                       scores and costs of a run on its test split, as in its metrics.json
import_weights(checkpoint, recipe, out)                  a run made of a file of weights
list_models(), list_features(), list_augmentations(), list_datasets(), list_recipes()
                                    names of the parts and of the shipped recipes

TensorFlow is imported when one of these functions is used first.
"""

import importlib
import os
import signal
import sys
import types

if sys.argv and os.path.basename(sys.argv[0]) in ("-m", "asc-tf"):  # a program, which command_line.run is to take over

    def _stop(number, frame):
        os.write(2, b"\nasc-tf: stopped.\n")
        os._exit(128 + number)

    signal.signal(signal.SIGINT, _stop)

# oneDNN's kernels halve the time of a training step.  TensorFlow turns them on by itself only where the processor
# has AVX512-VNNI or better, and reads this once: import asc_tf before TensorFlow or Keras.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__version__ = "0.1.0"

_FUNCTIONS = {
    "load_recipe": "asc_tf.recipe.resolve:load",
    "train": "asc_tf.chain.train:train",
    "load_run": "asc_tf.inference.system:load_run",
    "predict_files": "asc_tf.inference.files:predict_files",
    "evaluate": "asc_tf.evaluation.evaluate:evaluate",
    "import_weights": "asc_tf.importing.weights:import_weights",
    "list_models": "asc_tf.recipe.names:list_models",
    "list_features": "asc_tf.recipe.names:list_features",
    "list_augmentations": "asc_tf.recipe.names:list_augmentations",
    "list_datasets": "asc_tf.recipe.names:list_datasets",
    "list_recipes": "asc_tf.recipe.names:list_recipes",
}
__all__ = ["__version__", *_FUNCTIONS]


def __getattr__(name: str) -> object:
    if name not in _FUNCTIONS:
        raise AttributeError(f"module 'asc_tf' has no attribute '{name}'")
    module, _, function = _FUNCTIONS[name].partition(":")
    value = getattr(importlib.import_module(module), function)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_FUNCTIONS})


class _Package(types.ModuleType):
    """Keeps `asc_tf.train` the function when the program asc_tf/train.py is imported, which has the same name."""

    def __setattr__(self, name, value):
        if not (name in _FUNCTIONS and isinstance(value, types.ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
