"""`asc-tf COMMAND`: all programs behind one name; also `python -m asc_tf COMMAND`."""

import importlib
import sys

from asc_tf import command_line

# command -> (module with the program, what it does)
COMMANDS = {
    "train": ("asc_tf.train", "train a recipe: data, teachers, network, quantisation, int8 file, evaluation"),
    "evaluate": ("asc_tf.evaluate", "scores and costs of a run, or of several runs fused"),
    "compare": ("asc_tf.compare", "evaluated runs side by side: mean and spread over seeds, paired differences, costs"),
    "submit": ("asc_tf.submit", "write an entry for the DCASE challenge and check it"),
    "predict": ("asc_tf.predict", "the scene of audio files, second by second"),
    "listen": ("asc_tf.listen", "the scene at the microphone, second by second"),
    "prepare": ("asc_tf.prepare", "decode and resample a recipe's clips once; download a published dataset"),
    "show": ("asc_tf.show", "draw spectrograms of a sound; count and draw a recipe's clips"),
    "complexity": ("asc_tf.complexity", "parameters, MACs and memory of a network, layer by layer"),
    "search": ("asc_tf.tuning.search", "search over settings of a recipe, under limits of size"),
    "import-weights": ("asc_tf.import_weights", "make a run of a public PyTorch checkpoint"),
    "export tflite": ("asc_tf.export.tflite", "make a run's int8, float16 and waveform TFLite files"),
    "export micro": ("asc_tf.export.micro", "write C and C++ sources for TensorFlow Lite Micro"),
    "export parity": ("asc_tf.export.parity", "compare all forms of a run: decisions, errors, size, time, memory"),
}


def main(arguments: list[str] | None = None) -> int:
    """Runs one of the programs; returns its exit status.

    Args:
        arguments: Those of the command line; sys.argv by default.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    for words in (1, 2):
        command = " ".join(arguments[:words])
        if command in COMMANDS:
            program = importlib.import_module(COMMANDS[command][0])
            return program.main(arguments[words:], prog=f"asc-tf {command}")
    parser = command_line.parser("asc-tf", _documentation(), usage="asc-tf [-h] [--version] COMMAND ...")
    parser.add_argument("command", nargs="?", metavar="COMMAND", help="one of the commands above; COMMAND --help")
    options, _ = parser.parse_known_args(arguments)
    if options.command is None:
        parser.print_help()
        return command_line.ERROR
    parser.error(f"there is no command '{command}'; known are {', '.join(COMMANDS)}")


def _documentation() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {command:{width}}  {text}" for command, (_, text) in COMMANDS.items()]
    return "\n".join([__doc__, "", "commands:", *lines])


if __name__ == "__main__":
    sys.exit(main())
