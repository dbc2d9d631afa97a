"""C and C++ sources of a quantised run for a microcontroller with TensorFlow Lite Micro.

RUN_model.h, .cc       the int8 file's bytes, aligned; labels; scale and zero point of input and output
asc_tf_features.h, .c  the front end in plain C, with the run's asc_tf_settings.h and asc_tf_tables.h
asc_tf_stream.h, .c    decisions window by window on samples fed in parts of any size
main.cc                an example that calls all of them and registers the network's operations
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from asc_tf import dataset
from asc_tf.errors import UserError
from asc_tf.export.device import arena, c_front_end, tflm
from asc_tf.export.device.front_end import exportable
from asc_tf.runs import atomic, digests, layout, products
from asc_tf.runs.folder import RunFolder
from asc_tf.tflite import file as tflite_file

TEMPLATES = Path(__file__).parent / "c"
COPIED = ("asc_tf_features.h", "asc_tf_features.c", "asc_tf_stream.h", "asc_tf_stream.c")


def export(run: RunFolder, folder: str | Path) -> str:
    """Writes the source files of a run.

    Args:
        run: A quantised run; its name is that of the C identifiers.
        folder: Where the files are written; it is created where it does not exist.

    Returns:
        A table of the operations and of the memory that network and front end need.

    Raises:
        UserError: There is no int8 file, the front end has no form in C or an operation no kernel; nothing is written
            then. Or the folder cannot be written.
    """
    content = tflite_file.read(products.read(run, layout.INT8))
    ends, operations = quantisation_parameters(content), tflm.count_operations(content)
    layer = exportable(run.recipe, "plain C")
    name, arena_bytes = identifier(run.path.resolve().name), arena.estimate(content)
    numbers = c_front_end.settings(run, layer, dataset.segment_samples(run.recipe), ends[0])
    arrays = c_front_end.tables(run, layer)
    registrations = [f"  resolver.{tflm.resolver_method(operation)}();" for operation in operations]
    digest = int(digests.sha256(content)[:7], 16)  # 28 bits, an int in C; files of two exports do not compile
    same = f"#if ASC_TF_DIGEST != {digest}\n#error asc_tf_settings.h is of another export\n#endif\n"
    marks = {
        "@NAME@": name,
        "@DIGEST@": str(digest),
        "@COUNT@": str(len(operations)),
        "@RESOLVER@": "\n".join(registrations),
    }
    files = {
        "asc_tf_settings.h": c_front_end.settings_text(numbers | {"DIGEST": digest}, f"{name.upper()}_SETTINGS_H_"),
        "asc_tf_tables.h": same + c_front_end.tables_text(arrays),
        f"{name}_model.h": model_header(name, content, run.labels, ends, arena_bytes, digest),
        f"{name}_model.cc": model_source(name, content, digest),
        "main.cc": _replaced((TEMPLATES / "main.cc").read_text(), marks),
    } | {file: (TEMPLATES / file).read_text() for file in COPIED}
    _write(Path(folder), files)
    return table(operations, memory_bytes(numbers, arrays, content, arena_bytes))


def quantisation_parameters(content: bytes) -> tuple[tuple[float, int], tuple[float, int]]:
    """Scale and zero point of the input and of the output of a file.

    Args:
        content: Bytes of the file.

    Raises:
        UserError: Input and output are not both int8.
    """
    _, graph = tflite_file.graph(content)
    ends = [graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]]
    types = [tflite_file.TYPES[end.type] for end in ends]
    if types != ["int8", "int8"]:
        raise UserError(
            f"export: the input of {layout.INT8} is {types[0]} and its output {types[1]}; both must be int8: "
            "quantise the run with [quantise]."
        )
    return tuple((float(end.quantization.scale[0]), int(end.quantization.zeroPoint[0])) for end in ends)


def identifier(text: str) -> str:
    """The name of a folder as a C identifier: other characters become "_", and "run_" precedes what is no letter."""
    text = re.sub(r"\W", "_", text, flags=re.ASCII)
    return text if text[:1].isalpha() else f"run_{text}"


def model_header(
    name: str, content: bytes, labels: Sequence[str], ends: Sequence[tuple[float, int]], arena_bytes: int, digest: int
) -> str:
    """Text of RUN_model.h: sizes, labels, scales and zero points.

    Args:
        name: C identifier of the run.
        content: Bytes of the int8 file.
        labels: Classes in the order of the outputs.
        ends: (scale, zero point) of the input and of the output.
        arena_bytes: Estimated size of the arena.
        digest: Number that all files of one export have.
    """
    guard = f"{name.upper()}_MODEL_H_"
    numbers = [
        f"constexpr float {name}_{end}_scale = {c_front_end.literal(scale)};\n"
        f"constexpr int {name}_{end}_zero_point = {zero_point};"
        for end, (scale, zero_point) in zip(("input", "output"), ends, strict=True)
    ]
    quoted = ", ".join(json.dumps(label, ensure_ascii=False) for label in labels)
    lines = [
        f"#ifndef {guard}", f"#define {guard}", "", "#include <cstdint>", "",
        f"constexpr int {name}_model_bytes = {len(content)};",
        f"constexpr int {name}_model_digest = {digest};  // of all files of one export",
        f"extern const uint8_t {name}_model[{name}_model_bytes];",
        f"constexpr int {name}_arena_bytes = {arena_bytes};  // an estimate: arena_used_bytes() returns what is used",
        "",
        f"constexpr int {name}_classes = {len(labels)};",
        f"constexpr const char* {name}_labels[] = {{{quoted}}};", "",
        "// real = scale * (integer - zero point); the outputs are logits", *numbers, "", "#endif", "",
    ]  # fmt: skip
    return "\n".join(lines)


def model_source(name: str, content: bytes, digest: int) -> str:
    """Text of RUN_model.cc: the bytes of the int8 file, aligned to 16.

    Args:
        name: C identifier of the run.
        content: Bytes of the int8 file.
        digest: Number that all files of one export have.
    """
    rows = [", ".join(map(str, content[start : start + 20])) for start in range(0, len(content), 20)]
    body = ",\n    ".join(rows)
    same = f'static_assert({name}_model_digest == {digest}, "{name}_model.h is of another export");'
    return f'#include "{name}_model.h"\n\n{same}\nalignas(16) const uint8_t {name}_model[] = {{\n    {body}}};\n'


def memory_bytes(
    numbers: Mapping[str, int | float], arrays: Mapping[str, np.ndarray], content: bytes, arena_bytes: int
) -> dict[str, int]:
    """Memory of network and front end in flash and RAM, code not counted.

    Args:
        numbers: Settings of the front end.
        arrays: Tables of the front end.
        content: Bytes of the int8 file.
        arena_bytes: Estimated size of the arena.

    Returns:
        {description: bytes}.
    """
    rows = numbers["LEVEL_FRAMES"] if numbers["WHOLE_CLIP"] else 1
    return {
        "flash  network": len(content),
        "flash  tables of the front end": sum(array.nbytes for array in arrays.values()),
        "RAM    arena of the network, estimated": arena_bytes,
        "RAM    scratch of the front end": 4 * (numbers["FFT_SAMPLES"] + 1 + rows * numbers["BANDS"]),
        "RAM    ring of one window, 16 bits": 2 * numbers["SAMPLES"],
    }


def table(operations: Mapping[str, int], memory: Mapping[str, int]) -> str:
    """Text with the operations, all of which have int8 kernels, and the memory.

    Args:
        operations: As tflm.count_operations returns them.
        memory: As `memory_bytes` returns it.
    """
    counts = ", ".join(f"{count} {name}" for name, count in operations.items())
    lines = [f"{description:40}{size:>10,} bytes" for description, size in memory.items()]
    return "\n".join([f"{tflm.VERSION} has int8 kernels for all of {counts}.", *lines])


def _replaced(text, marks):
    for mark, value in marks.items():
        text = text.replace(mark, value)
    return text


def _write(folder, files):
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            atomic.write(folder / name, text)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); choose another --out.") from error
