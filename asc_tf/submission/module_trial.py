"""A trial of an inference module in a process of its own: FOLDER PACKAGE MODULE.

Prints, as the last line, the list of what is wrong with it as JSON. Imports nothing of asc_tf, so that the process has
only what the module imports.
"""

import importlib
import inspect
import json
import math
import sys
from pathlib import Path

# Function -> names of its parameters, by which the challenge's scripts call it.
FUNCTIONS = {
    "predict": ("file_paths", "device_ids", "model_file_path", "use_cuda"),
    "load_model": ("model_file_path",),
    "load_inputs": ("file_paths", "device_ids", "model"),
    "get_model_for_device": ("model", "device_id"),
}
SCENES = (
    "airport", "bus", "metro", "metro_station", "park", "public_square", "shopping_mall", "street_pedestrian",
    "street_traffic", "tram",
)  # fmt: skip
DEVICES = ("a", "s1", "unknown")


def defects(folder: str, package: str, name: str) -> list[str]:
    """What is wrong with a module.

    Args:
        folder: Folder of its package.
        package: Name of the package.
        name: Name of the module in it.

    Returns:
        Messages, "rule; fix".
    """
    sys.path.insert(0, folder)
    try:
        module = importlib.import_module(f"{package}.{name}")
    except Exception as error:
        return [f"cannot be imported ({_text(error)}); install what it needs, or mend it."]
    found = [message for function, names in FUNCTIONS.items() for message in _function(module, function, names)]
    dummy = Path(folder, package, "resources", "dummy.wav")
    if not dummy.is_file():
        found.append("resources/dummy.wav is missing beside it, which the challenge's count of the cost reads; add it.")
    return found or _run(module, str(dummy))


def _function(module, function, names):
    call = getattr(module, function, None)
    if not callable(call):
        yield f"has no function {function}; define {function}({', '.join(names)})."
        return
    parameters = inspect.signature(call).parameters
    if missing := [name for name in names if name not in parameters]:
        yield f"{function} has no parameter {', '.join(missing)}; define {function}({', '.join(names)})."


def _run(module, dummy):
    """Calls the functions as the challenge's scripts do."""
    files, devices = [dummy] * len(DEVICES), list(DEVICES)
    try:
        outputs, classes = module.predict(file_paths=files, device_ids=devices, model_file_path=None, use_cuda=False)
        model = module.load_model()
        inputs = module.load_inputs(files, devices, model)
        shapes = [tuple(one.shape) for one in inputs]
        for device in devices:
            module.get_model_for_device(model, device)
    except Exception as error:
        return [f"fails on resources/dummy.wav ({_text(error)}); mend it."]
    found = []
    if sorted(classes) != sorted(SCENES):
        found.append(f"predict has the class order {list(classes)}; it must have the ten scenes, {', '.join(SCENES)}.")
    if len(outputs) != len(files) or len(shapes) != len(files):
        found.append(f"{len(outputs)} outputs and {len(shapes)} inputs of {len(files)} files; return one of each file.")
    for one in outputs:
        values = [float(value) for value in one]
        if len(values) != len(SCENES) or not all(map(math.isfinite, values)):
            found.append("predict has an output that is not ten finite numbers; return the logits of a file, (10,).")
            break
    return found


def _text(error):
    return f"{type(error).__name__}: {error}".splitlines()[0]


if __name__ == "__main__":
    print("\n" + json.dumps(defects(*sys.argv[1:])))
