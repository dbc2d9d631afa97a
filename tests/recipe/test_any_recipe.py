"""Any bytes, trees and options end in a Recipe or in a UserError."""

import contextlib

import hypothesis
import tomli_w
from hypothesis import strategies as st

from asc_tf.errors import UserError
from asc_tf.recipe import checks, resolve, toml_file

SETTINGS = {"deadline": 3000, "database": None, "derandomize": True}
VALUES = st.one_of(
    st.integers(), st.floats(), st.booleans(), st.text(max_size=8), st.datetimes(), st.just([]), st.just({})
)
TREES = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


def test_any_bytes_of_a_file(tmp_path):
    file = tmp_path / "own.toml"

    @hypothesis.settings(max_examples=200, **SETTINGS)
    @hypothesis.given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "ignore")))
    def check(content):
        file.write_bytes(content)
        try:
            resolve.load(file)
        except UserError as error:
            assert str(file) in str(error)

    check()


def test_any_value_of_any_key():
    shipped = toml_file.read(resolve.find("quickstart"))
    keys = [(section, key) for section, table in shipped.items() if isinstance(table, dict) for key in table]

    @hypothesis.settings(max_examples=300, **SETTINGS)
    @hypothesis.given(st.sampled_from([*keys, *((section, None) for section in shipped)]), TREES)
    def check(place, value):
        section, key = place
        tree = shipped | {section: value if key is None else shipped[section] | {key: value}}
        try:
            recipe = checks.from_tree(tree, "own.toml")
        except UserError as error:
            assert str(error).startswith("own.toml: ")
        else:
            tomli_w.dumps(tree), resolve.to_toml(recipe)

    check()


def test_any_option():
    @hypothesis.settings(max_examples=300, **SETTINGS)
    @hypothesis.given(
        st.sampled_from(["", "train.epochs=", "model.width=", "dataset.root=", "augmentation.", "*:train.epochs="]),
        st.text(max_size=30),
    )
    def check(start, text):
        with contextlib.suppress(UserError):
            resolve.load("quickstart", [start + text])

    check()
