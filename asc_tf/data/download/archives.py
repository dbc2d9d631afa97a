"""Published datasets: the archives that they consist of, and the MD5 sums that verify them."""

from dataclasses import dataclass

from asc_tf.errors import UserError, nearest


@dataclass(frozen=True)
class Archive:
    """One archive of a dataset.

    Args:
        name: File name.
        md5: Published MD5 sum; None where none is known.
        confirmed: Whether two public sources that do not copy each other state that sum.
        size_bytes: Published size; None where it is not known: the size that the server states is taken.
        sha256: Published SHA-256 sum; None where none is known.
    """

    name: str
    md5: str | None = None
    confirmed: bool = False
    size_bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class PublishedDataset:
    """A dataset that can be downloaded.

    Args:
        page: Address of the page that describes it.
        url: Address of an archive, with {name} for the archive's name.
        folder: Folder that the archives unpack to.
        dataset: Name of the dataset in a recipe that reads it.
        settings: Further settings of that dataset, in TOML.
        archives: The archives; none where no address of a file is known, which is then fetched by hand from `page`.
    """

    page: str
    url: str
    folder: str
    dataset: str
    settings: str
    archives: tuple[Archive, ...]


_TAU = "TAU-urban-acoustic-scenes-2022-mobile-development"

# TAU Urban Acoustic Scenes 2022 Mobile, development: Zenodo record 6337421, 230,350 clips, about 27 GB packed.
# The sums are those of soundata's loader (soundata/datasets/tau2022uas_mobile.py, commit 009ec15e), which took them
# from the record. Archives 1, 9, 16 and meta were checked against a second public download script, which also states
# the three sizes. The record's own page and the files could not be reached when this was written.
TAU2022 = PublishedDataset(
    page="https://zenodo.org/records/6337421",
    url="https://zenodo.org/records/6337421/files/{name}?download=1",
    folder=_TAU,
    dataset="tau",
    settings='split="fold1"',
    archives=(
        Archive(f"{_TAU}.meta.zip", "419b6ff6570f1030730352dc80cd8d15", confirmed=True),
        Archive(f"{_TAU}.doc.zip", "9c4f610bdb5d3e3e72a17d393a26452a"),
        Archive(f"{_TAU}.audio.1.zip", "8be14bdbd844481dce059ab31fbd2239", confirmed=True, size_bytes=1_736_050_960),
        Archive(f"{_TAU}.audio.2.zip", "e821abda49b069248bb75eab39df7575"),
        Archive(f"{_TAU}.audio.3.zip", "9c7897f78bb42ca0008936daddf3f8f3"),
        Archive(f"{_TAU}.audio.4.zip", "53ec3e37c0fc0be75f53c5abbc5300b8"),
        Archive(f"{_TAU}.audio.5.zip", "528422c33c5d10263203d2c61cb1f3be"),
        Archive(f"{_TAU}.audio.6.zip", "4759a9465c903e13e57d5e82e791fc28"),
        Archive(f"{_TAU}.audio.7.zip", "6d545fc83a55a17856a9ccc1ac9aff6b"),
        Archive(f"{_TAU}.audio.8.zip", "3a2916a9b5d3f43cc7a22a62b180b0d9"),
        Archive(f"{_TAU}.audio.9.zip", "071f664c86639ad730f7be4e3c39d886", confirmed=True, size_bytes=1_790_044_829),
        Archive(f"{_TAU}.audio.10.zip", "e0839d019e9b77ecbcbb0eff85965530"),
        Archive(f"{_TAU}.audio.11.zip", "fc60f1c83726be3963ae14fbcb95eeb4"),
        Archive(f"{_TAU}.audio.12.zip", "02246547f86c0a814dc63ec65d7033bb"),
        Archive(f"{_TAU}.audio.13.zip", "88ae9ef884665140d1572d8061725e00"),
        Archive(f"{_TAU}.audio.14.zip", "c3f400d74ae90e5190dc518cde43de47"),
        Archive(f"{_TAU}.audio.15.zip", "85594c6fe4f91c10aa2a410f748103b8"),
        Archive(f"{_TAU}.audio.16.zip", "6e2df8438c69f6789414aeba8cbad9d8", confirmed=True, size_bytes=435_379_083),
    ),
)
# ESC-50, whose table marks the classes of ESC-10: the address that its page names. It is made from the repository when
# it is asked for, so that no sum is published.
ESC50 = PublishedDataset(
    page="https://github.com/karolpiczak/ESC-50",
    url="https://github.com/karoldvl/ESC-50/archive/master.zip",
    folder="ESC-50-master",
    dataset="esc",
    settings="test_fold=5",
    archives=(Archive("ESC-50-master.zip"),),
)
# Impulse responses of microphones; the page has a file for each and no archive of them all.
MICIRP = PublishedDataset(
    page="http://micirp.blogspot.com", url="", folder="micirp", dataset="", settings="", archives=()
)
PUBLISHED = {"tau2022": TAU2022, "esc50": ESC50, "micirp": MICIRP}


def find(name: str) -> PublishedDataset:
    """The published dataset of a name.

    Raises:
        UserError: There is none.
    """
    if name not in PUBLISHED:
        raise UserError(f"--download: there is no dataset '{name}' to fetch. {nearest(name, PUBLISHED)}")
    return PUBLISHED[name]
