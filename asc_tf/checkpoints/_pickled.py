"""What tree of lists, dicts, numbers and tensors does a pickle of PyTorch describe?

Source:  pickle's opcodes as CPython's pickletools decodes them; torch.save's objects.
Nothing that a file names is imported, called or given a method of: REDUCE knows the four names below,
and everything else becomes an Unknown, which is inert.  This is not the unpickler of Python with a guard
before it; it has no way to a function.
"""

import pickletools
import typing

from asc_tf.checkpoints import _tensor

KINDS = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": _tensor.BFLOAT16,
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
VALUES = (
    "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT",
    "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
)  # fmt: skip
EMPTY = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple, "EMPTY_SET": set}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
KEYS = (str, int, float, type(None))


class Name(typing.NamedTuple):
    """A function or class that the file names, as text."""

    module: str
    name: str


class Unknown(typing.NamedTuple):
    """An object of a class that is not read."""

    kind: object


class Storage(typing.NamedTuple):
    """A torch storage by its key in the file."""

    kind: str
    key: str
    elements: int


def load(stream, read_storage, storages=None):
    """The tree of the next pickle in a binary stream, which is left behind its end.

    read_storage: a function Storage -> bytes, called when a tensor's numbers are asked for.
    storages: a dict that takes {key: Storage} of all storages the pickle names.
    Raises ValueError where the stream is no such pickle or ends early.
    """
    machine = _Machine(read_storage, {} if storages is None else storages)
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            machine.step(opcode.name, argument)
    except (IndexError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("a damaged pickle") from error
    return machine.stack[-1]


class _Machine:
    def __init__(self, read_storage, storages):
        self.stack, self.marks, self.memo = [], [], {}
        self.read_storage, self.storages = read_storage, storages

    def step(self, name, argument):
        stack = self.stack
        if name in VALUES:
            stack.append(argument)
        elif name in CONSTANTS:
            stack.append(CONSTANTS[name])
        elif name in EMPTY:
            stack.append(EMPTY[name]())
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif name == "MARK":
            self.marks.append(len(stack))
        elif name in TUPLES:
            stack[-TUPLES[name] :] = [tuple(stack[-TUPLES[name] :])]
        elif name == "TUPLE":
            stack.append(tuple(self._from_mark()))
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            stack.append(Name(*(argument.split(" ", 1) if argument else self._popped(2))))
        elif name not in ("PROTO", "FRAME", "STOP"):
            self._change(name)

    def _change(self, name):
        if name in ("APPEND", "APPENDS", "ADDITEMS"):
            items = [self.stack.pop()] if name == "APPEND" else self._from_mark()
            if isinstance(self.stack[-1], list):
                self.stack[-1].extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = self._popped(2) if name == "SETITEM" else self._from_mark()
            if isinstance(self.stack[-1], dict):
                pairs = zip(items[::2], items[1::2], strict=True)
                self.stack[-1].update((key, value) for key, value in pairs if type(key) in KEYS)
        elif name in ("REDUCE", "NEWOBJ", "NEWOBJ_EX"):
            kind, *arguments = self._popped(3 if name == "NEWOBJ_EX" else 2)
            self.stack.append(self._made(kind, arguments[0]) if name == "REDUCE" else Unknown(kind))
        elif name == "BUILD":
            self.stack.pop()  # attributes, as the versions of a state dict
        elif name == "BINPERSID":
            storage = _storage(self.stack.pop())
            self.storages[storage.key] = storage
            self.stack.append(storage)
        else:
            raise ValueError(f"pickle's operation {name}, which torch.save does not write")

    def _made(self, kind, arguments):
        if kind == Name("collections", "OrderedDict"):
            return {}
        if kind in (Name("torch._utils", "_rebuild_parameter"), Name("torch._utils", "_rebuild_parameter_with_state")):
            return arguments[0]
        if kind == Name("torch._utils", "_rebuild_tensor_v2") and isinstance(arguments[0], Storage):
            return self._tensor(*arguments[:4])
        return Unknown(kind)

    def _tensor(self, storage, first, shape, strides):
        tensor = _tensor.checked(shape, storage.kind, first, strides, lambda: self.read_storage(storage))
        if tensor.last > storage.elements:
            raise ValueError("a tensor beyond its storage")
        return tensor

    def _from_mark(self):
        return self._popped(len(self.stack) - self.marks.pop())

    def _popped(self, count):
        if count > len(self.stack) or count < 0:
            raise ValueError("a damaged pickle")
        items = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return items


def _storage(identity):
    """What a persistent id names: ("storage", type, key, device, elements) and, in old files, a view, which is None."""
    word, kind, key, _, elements, *view = identity
    if word != "storage" or any(view) or type(key) is not str or type(elements) is not int:
        raise ValueError("a persistent id that is no storage")
    if not isinstance(kind, Name) or kind.name not in KINDS:
        raise ValueError(f"a storage of a kind that is not known: {kind}")
    return Storage(KINDS[kind.name], key, elements)
