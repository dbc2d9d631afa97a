import pytest

from asc_tf.runs import atomic


@pytest.mark.parametrize("content", ["né\n", "né\n".encode(), lambda path: path.write_text("né\n", encoding="utf-8")])
def test_writes_text_bytes_or_what_a_function_writes(tmp_path, content):
    (tmp_path / "metrics.json").write_text("old")
    atomic.write(tmp_path / "metrics.json", content)
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.json"]
    assert (tmp_path / "metrics.json").read_text(encoding="utf-8") == "né\n"


def test_the_temporary_name_keeps_the_extension_and_differs_between_calls(tmp_path):
    paths = []
    for _ in range(2):
        atomic.write(tmp_path / "best.weights.h5", lambda path: (paths.append(path), path.touch()))
    assert all(path.parent == tmp_path and path.name.startswith(atomic.PART) for path in paths)
    assert all(path.name.endswith("best.weights.h5") for path in paths) and paths[0] != paths[1]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("wrong"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, error):
    (tmp_path / "metrics.json").write_text("old")

    def fail(path):
        path.write_text("half")
        raise error

    with pytest.raises(type(error)):
        atomic.write(tmp_path / "metrics.json", fail)
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.json"]
    assert (tmp_path / "metrics.json").read_text() == "old"


def test_a_folder_that_is_absent_is_an_os_error(tmp_path):
    with pytest.raises(OSError):
        atomic.write(tmp_path / "absent/metrics.json", "{}")


def test_unfinished_files_are_removed_at_any_depth(tmp_path):
    (tmp_path / "weights").mkdir()
    for name in (".part-0123456789ab-metrics.json", "weights/.part-0123456789ab-best.weights.h5", "metrics.json"):
        (tmp_path / name).touch()
    atomic.remove_unfinished(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["metrics.json", "weights"]


def test_what_only_looks_like_an_unfinished_file_stays(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "run").mkdir()
    elsewhere.mkdir()
    (elsewhere / ".part-0123456789ab-metrics.json").touch()
    (tmp_path / "run/link").symlink_to(elsewhere)
    (tmp_path / "run/.part-0123456789ab-folder").mkdir()
    for name in (".part-1-of-novel.txt", ".part-0123456789ab", "x.part-0123456789ab-y"):
        (tmp_path / "run" / name).touch()
    before = sorted(tmp_path.rglob("*"))
    atomic.remove_unfinished(tmp_path / "run")
    assert sorted(tmp_path.rglob("*")) == before and list(elsewhere.iterdir())
