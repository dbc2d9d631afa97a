"""Reader of PyTorch's pickles: the tree of lists, dicts, numbers and tensors that one describes.

Source:  pickle's opcodes as CPython's pickletools decodes them; torch.save's objects.
Nothing that a file names is imported or called: REDUCE handles the names of `_reduced`, and every other
object becomes an Unknown, which is inert. This is not Python's unpickler with a filter in front; it contains
no way to call a function.
"""

import pickletools
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

from asc_tf.checkpoints import _pickled_arrays, _tensor
from asc_tf.checkpoints._pickled_arrays import Array, ArrayType
from asc_tf.checkpoints._tensor import StoredTensor

DTYPES = {
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
    "INT", "LONG", "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT",
    "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
)  # fmt: skip
EMPTY = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple, "EMPTY_SET": set}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
KEYS = (str, int, float, type(None))


class Name(NamedTuple):
    """A function or class that the file names, as text."""

    module: str
    name: str


class Unknown(NamedTuple):
    """An object of a class that is not read.

    Args:
        kind: The Name of the class, or what the file has instead of one.
    """

    kind: Any


class Storage(NamedTuple):
    """A torch storage.

    Args:
        dtype: Type of the elements, as StoredTensor has it.
        key: Key of the storage in the file.
        elements: Number of elements.
    """

    dtype: str
    key: str
    elements: int


TENSORS = (Name("torch._utils", "_rebuild_tensor"), Name("torch._utils", "_rebuild_tensor_v2"))


def load(stream: BinaryIO, read_storage: Callable[[Storage], bytes], storages: dict[str, Storage] | None = None) -> Any:
    """The tree of the next pickle in a stream.

    Args:
        stream: Binary stream, which is left behind the pickle's end.
        read_storage: Function that returns the bytes of a storage; called when a tensor's values are needed.
        storages: Dict that receives all storages which the pickle names, by key.

    Returns:
        Lists, dicts, tuples, numbers, texts, StoredTensor, Array and Unknown.

    Raises:
        ValueError: The stream has another format or ends early.
    """
    machine = _Machine(read_storage, {} if storages is None else storages)
    try:
        for opcode, argument, _ in pickletools.genops(_Bounded(stream)):
            machine.execute(opcode.name, argument)
    except (IndexError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("a damaged pickle") from error
    return machine.stack[-1]


class _Bounded:
    """A stream of which no more is asked than it has: a file allocates all that a damaged length claims, at once."""

    def __init__(self, stream):
        self._stream, start = stream, stream.tell()
        self._end = stream.seek(0, 2)
        stream.seek(start)
        self.readline, self.tell = stream.readline, stream.tell

    def read(self, size):
        return self._stream.read(min(size, self._end - self._stream.tell()))


class _Machine:
    def __init__(self, read_storage, storages):
        self.stack, self.marks, self.memo = [], [], {}
        self.read_storage, self.storages = read_storage, storages

    def execute(self, name, argument):
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
            stack.append(tuple(self._pop_to_mark()))
        elif name == "FROZENSET":
            self._pop_to_mark()
            stack.append(Unknown(Name("builtins", "frozenset")))
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            stack.append(Name(*(argument.split(" ", 1) if argument else self._pop(2))))
        elif name not in ("PROTO", "FRAME", "STOP"):
            self._execute_on_top(name)

    def _execute_on_top(self, name):
        """An operation that fills or replaces the topmost objects of the stack."""
        if name in ("APPEND", "APPENDS", "ADDITEMS"):
            items = [self.stack.pop()] if name == "APPEND" else self._pop_to_mark()
            if isinstance(self.stack[-1], list):
                self.stack[-1].extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = self._pop(2) if name == "SETITEM" else self._pop_to_mark()
            if isinstance(self.stack[-1], dict):
                pairs = zip(items[::2], items[1::2], strict=True)
                self.stack[-1].update((key, value) for key, value in pairs if type(key) in KEYS)
        elif name in ("REDUCE", "NEWOBJ", "NEWOBJ_EX"):
            kind, *arguments = self._pop(3 if name == "NEWOBJ_EX" else 2)
            self.stack.append(self._reduced(kind, arguments[0]) if name == "REDUCE" else Unknown(kind))
        elif name == "BUILD":
            state = self.stack.pop()  # mostly attributes, as the versions of a state dict
            if isinstance(self.stack[-1], (Array, ArrayType)):
                self.stack[-1].build(state)
        elif name == "BINPERSID":
            storage = _storage(self.stack.pop())
            self.storages[storage.key] = storage
            self.stack.append(storage)
        else:
            raise ValueError(f"pickle's operation {name}, which torch.save does not write")

    def _reduced(self, kind, arguments):
        """The object that a pickle makes by calling `kind` with arguments; nothing is called here."""
        if kind == Name("collections", "OrderedDict"):
            return {}
        if kind in (Name("torch._utils", "_rebuild_parameter"), Name("torch._utils", "_rebuild_parameter_with_state")):
            return arguments[0]
        if kind == Name("torch._tensor", "_rebuild_from_type_v2"):  # a tensor with attributes or of a subclass
            return self._reduced(arguments[0], arguments[2])
        if kind in TENSORS and isinstance(arguments[0], Storage):
            return self._stored_tensor(*arguments[:4])
        array = _pickled_arrays.made(*kind, arguments) if isinstance(kind, Name) else None
        return Unknown(kind) if array is None else array

    def _stored_tensor(self, storage, offset, shape, strides) -> StoredTensor:
        tensor = _tensor.checked(shape, storage.dtype, offset, strides, lambda: self.read_storage(storage))
        if tensor.end > storage.elements:
            raise ValueError("a tensor beyond its storage")
        return tensor

    def _pop_to_mark(self):
        return self._pop(len(self.stack) - self.marks.pop())

    def _pop(self, count):
        if count > len(self.stack) or count < 0:
            raise ValueError("a damaged pickle")
        items = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return items


def _storage(identity):
    """The storage of a persistent id: ("storage", class, key, device, elements) and, in old files, a view, None."""
    tag, kind, key, _, elements, *view = identity
    if tag != "storage" or any(view) or type(key) is not str or type(elements) is not int:
        raise ValueError("a persistent id that is no storage")
    if not isinstance(kind, Name) or kind.name not in DTYPES:
        raise ValueError(f"a storage of a class that is not known: {kind}")
    return Storage(DTYPES[kind.name], key, elements)
