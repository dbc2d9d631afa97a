import gzip

import pytest

from asc_tf.data.datasets.csv_table import read_table
from asc_tf.errors import UserError


def write(folder, text, name="table.csv"):
    (folder / name).write_bytes(text.encode())
    return folder / name


def test_columns_are_read_in_the_order_of_the_call_with_line_numbers(tmp_path):
    table = write(tmp_path, "\ufeffsplit\tfilename\textra\r\ntrain\ta.wav\t1\r\n\r\ntest\tb.wav\t2\r\n")
    assert read_table(table, ("filename", "split"), optional=("city",)) == [
        [2, 4],
        ["a.wav", "b.wav"],
        ["train", "test"],
        ["", ""],
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,x y\n2,z\n",
        "a,b\r\n1,x y\r\n2,z",
        "\ufeffb,a\nx y,1\nz,2\n",
        'a,b\n"1",x y\n2,"z"\n',
        "a,b,c\n1,x y\n2,z,3,4\n",
        "a,b\n1,x y\n\n2,z\n",
        "a,b\r1,x y\r2,z",
    ],
)
def test_line_ends_quotes_and_gaps_do_not_change_the_columns(tmp_path, text):
    lines, *columns = read_table(write(tmp_path, text), ("a", "b"), delimiter=",")
    assert columns == [["1", "2"], ["x y", "z"]]
    assert list(lines) == ([2, 4] if "\n\n" in text else [2, 3])


def test_quoted_cells_may_have_delimiters_and_line_breaks(tmp_path):
    table = write(tmp_path, 'a,b\n"x, ""y""",1\n"p\nq",2\nr,3\n')
    assert read_table(table, ("a", "b"), delimiter=",") == [[2, 4, 5], ['x, "y"', "p\nq", "r"], ["1", "2", "3"]]


def test_gzip_is_read(tmp_path):
    (tmp_path / "table.csv.gz").write_bytes(gzip.compress(b"filename\na.wav\n", mtime=0))
    assert read_table(tmp_path / "table.csv.gz", ("filename",)) == [[2], ["a.wav"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("filename\tscene\na.wav\tbus\n", "no column 'scene_label'. Did you mean 'scene'?"),
        ("filename\tscene_label\n", "no rows"),
        ("", "no column 'filename'"),
        ("filename\tscene_label\na.wav\tbus\nb.wav\t\n", "table.csv:3: a value is missing"),
        ("filename\tscene_label\na.wav\n", "table.csv:2: a value is missing"),
    ],
)
def test_a_wrong_table_is_an_error_with_its_line(tmp_path, text, message):
    with pytest.raises(UserError) as raised:
        read_table(write(tmp_path, text), ("filename", "scene_label"))
    assert message in str(raised.value) and "table.csv" in str(raised.value)


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00\xd8", gzip.compress(b"filename\n" + b"a.wav\n" * 999, mtime=0)[:-12]]
)
def test_a_file_that_is_no_table_is_an_error_with_its_name(tmp_path, content):
    for name in ("absent.csv", "table.csv.gz", "table.csv"):
        if name != "absent.csv":
            (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=name):
            read_table(tmp_path / name, ("filename",))
