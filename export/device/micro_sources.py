"""`python -m export.micro RUN --out FOLDER`: what does a microcontroller need, as C and C++ source?

    RUN_model.h, .cc       the int8 file's bytes, aligned; labels; scale and zero point of input and output
    asc_tf_features.h, .c  the front end in plain C, with the run's asc_tf_settings.h and asc_tf_tables.h
    main.cc                how both are called with TensorFlow Lite Micro, whose operations are checked first
Nothing is written where an operation has no kernel there.
"""

import json
import re
from pathlib import Path

TEMPLATES = Path(__file__).parent / "c"


def export(run, folder):
    """Writes the source files of a quantised RunFolder into a folder; returns the table that tells what they cost.

    Raises UserError before anything is written: no int8 file, a front end without a form in C, an operation
    without a kernel.
    """
    from asc_tf import dataset
    from asc_tf.runs import layout as files
    from asc_tf.tflite import file as tflite_file
    from export.device import arena as _arena
    from export.device import c_front_end as _c_front_end
    from export.device import front_end as _front_end
    from export.device import tflm as _tflm

    content = tflite_file.read(run.path / files.INT8)
    ends, operations = quantisation(content), _tflm.checked(content)
    layer = _front_end.exportable(run.recipe, "plain C")
    name, arena_bytes = identifier(run.path.resolve().name), _arena.estimate(content)
    numbers = _c_front_end.settings(run, layer, dataset.segment_samples(run.recipe), ends[0])
    arrays = _c_front_end.tables(run, layer)
    registered = [f"  resolver.{_tflm.method(operation)}();" for operation in operations]
    example = {"@NAME@": name, "@COUNT@": str(len(operations)), "@RESOLVER@": "\n".join(registered)}
    files = {
        "asc_tf_settings.h": _c_front_end.settings_text(numbers, f"{name.upper()}_SETTINGS_H_"),
        "asc_tf_tables.h": _c_front_end.tables_text(arrays),
        f"{name}_model.h": header(name, content, run.labels, ends, arena_bytes),
        f"{name}_model.cc": source(name, content),
        "main.cc": _filled((TEMPLATES / "main.cc").read_text(), example),
    } | {file: (TEMPLATES / file).read_text() for file in ("asc_tf_features.h", "asc_tf_features.c")}
    _write(Path(folder), files)
    return table(operations, sizes(numbers, arrays, content, arena_bytes))


def quantisation(content):
    """((scale, zero point) of the input, the same of the output) of a file; UserError where they are not int8."""
    from asc_tf.errors import UserError
    from asc_tf.tflite import file as tflite_file

    _, graph = tflite_file.graph(content)
    ends = [graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]]
    if any(tflite_file.TYPES[end.type] != "int8" for end in ends):
        raise UserError("export: export/model.tflite does not take and give int8; quantise the run with [quantise].")
    return tuple((float(end.quantization.scale[0]), int(end.quantization.zeroPoint[0])) for end in ends)


def identifier(text):
    """A name in C for the name of a folder."""
    text = re.sub(r"\W", "_", text, flags=re.ASCII)
    return text if text[:1].isalpha() else f"run_{text}"


def header(name, content, labels, ends, arena_bytes):
    """The text of RUN_model.h."""
    from export.device import c_front_end as _c_front_end

    guard = f"{name.upper()}_MODEL_H_"
    numbers = [
        f"constexpr float {name}_{end}_scale = {_c_front_end.number(scale)};\n"
        f"constexpr int {name}_{end}_zero_point = {zero};"
        for end, (scale, zero) in zip(("input", "output"), ends, strict=True)
    ]
    quoted = ", ".join(json.dumps(label, ensure_ascii=False) for label in labels)
    lines = [
        f"#ifndef {guard}", f"#define {guard}", "", "#include <cstdint>", "",
        f"constexpr int {name}_model_bytes = {len(content)};",
        f"extern const uint8_t {name}_model[{name}_model_bytes];",
        f"constexpr int {name}_arena_bytes = {arena_bytes};  // an estimate: arena_used_bytes() tells what is used", "",
        f"constexpr int {name}_classes = {len(labels)};",
        f"constexpr const char* {name}_labels[] = {{{quoted}}};", "",
        "// real = scale * (integer - zero point); the outputs are logits", *numbers, "", "#endif", "",
    ]  # fmt: skip
    return "\n".join(lines)


def source(name, content):
    """The text of RUN_model.cc."""
    rows = [", ".join(map(str, content[start : start + 20])) for start in range(0, len(content), 20)]
    body = ",\n    ".join(rows)
    return f'#include "{name}_model.h"\n\nalignas(16) const uint8_t {name}_model[] = {{\n    {body}}};\n'


def sizes(numbers, arrays, content, arena_bytes):
    """{what: bytes} in flash and RAM, code not counted."""
    rows = numbers["LEVEL_FRAMES"] if numbers["WHOLE_CLIP"] else 1
    return {
        "flash  network": len(content),
        "flash  tables of the front end": sum(table.nbytes for table in arrays.values()),
        "RAM    arena of the network, estimated": arena_bytes,
        "RAM    scratch of the front end": 4 * (numbers["FFT_SAMPLES"] + 1 + rows * numbers["BANDS"]),
        "RAM    one clip of 16 bits": 2 * numbers["SAMPLES"],
    }


def table(operations, bytes_of):
    """What is printed: the operations that were checked and the sizes."""
    from export.device import tflm as _tflm

    counted = ", ".join(f"{count} {name}" for name, count in operations.items())
    lines = [f"{what:40}{size:>10,} bytes" for what, size in bytes_of.items()]
    return "\n".join([f"{_tflm.VERSION} has int8 kernels for all of {counted}.", *lines])


def _filled(text, values):
    for mark, value in values.items():
        text = text.replace(mark, value)
    return text


def _write(folder, files):
    from asc_tf.errors import UserError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); choose another --out.") from error
