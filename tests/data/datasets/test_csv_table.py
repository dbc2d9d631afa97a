import gzip

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asc_tf.data.datasets import csv_table
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
        "a,b,c\n1,x y\n2,z,3,\n",
        "a,b\n1,x y\n\n2,z\n",
        "a,b\r1,x y\r2,z",
    ],
)
def test_line_ends_quotes_and_gaps_do_not_change_the_columns(tmp_path, text):
    lines, *columns = read_table(write(tmp_path, text), ("a", "b"))
    assert columns == [["1", "2"], ["x y", "z"]]
    assert list(lines) == ([2, 4] if "\n\n" in text else [2, 3])


def test_quoted_cells_may_have_delimiters_and_line_breaks(tmp_path):
    table = write(tmp_path, 'a,b\n"x, ""y""",1\n"p\nq",2\nr,3\n')
    assert read_table(table, ("a", "b")) == [[2, 4, 5], ['x, "y"', "p\nq", "r"], ["1", "2", "3"]]


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


SPELLINGS = {
    "comma": "Filename,SPLIT\na b.wav,train\nc.wav,test\n",
    "comma and blank": "filename, split\na b.wav, train\nc.wav, test\n",
    "semicolon": "filename;split\na b.wav;train\nc.wav;test\n",
    "semicolon, empty ends": "filename;split;;\na b.wav;train;;\nc.wav;test;;\n;;;\n",
    "tab": "filename\tsplit\na b.wav\ttrain\nc.wav\ttest\n",
    "trailing blanks": "filename,split  \na b.wav ,train \nc.wav,test\xa0\n",
    "quotes after a blank": 'filename, split\n"a b.wav", "train"\n"c.wav", "test"\n',
    "CRLF": "filename,split\r\na b.wav,train\r\nc.wav,test\r\n",
    "CR": "filename,split\ra b.wav,train\rc.wav,test\r",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_table_is_read_by_its_content(tmp_path, spelling, encoding):
    (tmp_path / "table.csv").write_bytes(SPELLINGS[spelling].encode(encoding))
    lines, *columns = read_table(tmp_path / "table.csv", ("filename", "split"))
    assert (list(lines), columns) == ([2, 3], [["a b.wav", "c.wav"], ["train", "test"]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"filename,split\na, b.wav,train\n", "table.csv:2: a row of 3 cells below a header of 2"),
        (b"filename,filename,split\na,b,train\n", "two columns 'filename'"),
        ("filename,split\ncaf\xe9.wav,train\n".encode("latin-1"), "neither UTF-8 nor UTF-16 (byte 18"),
        ("filename,split\na.wav,train\n".encode("utf-16-le"), "NUL characters"),
        (b"x" * 100_000, "first line has more than 16,384 characters"),
        (b"x,y\n" + b"1" * 200_000 + b",2\n", "no column 'filename'"),
    ],
)
def test_a_message_is_one_short_line(tmp_path, content, message):
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(UserError) as raised:
        read_table(tmp_path / "table.csv", ("filename", "split"))
    assert message in str(raised.value) and len(str(raised.value)) < 500 + len(str(tmp_path))
    assert "\n" not in str(raised.value)


def test_a_packed_table_has_a_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_table, "MOST_BYTES", 1 << 20)
    (tmp_path / "table.csv.gz").write_bytes(gzip.compress(b"filename,split\n" + b"a.wav,train\n" * 100_000))
    with pytest.raises(UserError, match="larger than 1 MiB"):
        read_table(tmp_path / "table.csv.gz", ("filename",))


def cases():
    cell = st.text(st.sampled_from('ab ";,\t\r\n\0\ufeff\u2028é'), max_size=6)
    text = st.lists(cell, max_size=12).map(lambda cells: "filename,split\n" + ",".join(cells))
    encoded = st.builds(str.encode, text, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le"]))
    return st.one_of(st.binary(max_size=300), encoded, st.binary(max_size=100).map(gzip.compress))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=cases(), packed=st.booleans())
def test_any_bytes_are_a_table_or_a_user_error(tmp_path, content, packed):
    file = tmp_path / ("table.csv.gz" if packed else "table.csv")
    file.write_bytes(content)
    try:
        lines, files, splits, devices = read_table(file, ("filename", "split"), optional=("device",))
    except UserError as error:
        assert str(file) in str(error)
    else:
        assert len(lines) == len(files) == len(splits) == len(devices) > 0
        assert all(files) and all(splits)
