"""Locations of the synthetic scenes: the scene, city, split and devices of each."""

from dataclasses import dataclass

from asc_tf.data.synthetic.devices import DEVICES
from asc_tf.data.synthetic.scenes import SCENES
from asc_tf.data.synthetic.synthesis import SECONDS

CITIES = ("barcelona", "helsinki", "lisbon", "london", "lyon", "milan", "paris", "prague", "stockholm", "vienna")
TEST_ONLY_CITIES = ("amsterdam", "madrid")
# Clips of each device; training as in TAU 2022, fold 1: 102,150 of 139,620 are of device a, 7,490 of each other one.
DEVICE_SHARES = {
    "train": {"a": 102_150, "b": 7_490, "c": 7_490, "s1": 7_490, "s2": 7_490, "s3": 7_490},
    "test": dict.fromkeys(DEVICES, 1),
}
_DEVICES_AT_ONCE = 3  # at most, at a location of the test


@dataclass(frozen=True)
class Location:
    """A location, which is recorded once, by one or more devices at the same time.

    Args:
        number: Index in the plan.
        scene: Its label.
        city: Its city.
        split: "train" or "test".
        takes: (device, seconds of its recording) of each device.
        place: Its name within the city, as in TAU's file names.
        recording: Name of the recording.
    """

    number: int
    scene: str
    city: str
    split: str
    takes: tuple[tuple[str, int], ...]
    place: str
    recording: str

    @property
    def identifier(self) -> str:
        """City and place, as in TAU's meta.csv."""
        return f"{self.city}-{self.place}"

    def names(self) -> list[tuple[str, int, str]]:
        """(device, second, file name) of every clip."""
        start = f"{self.scene}-{self.identifier}-{self.recording}"
        return [
            (device, second, f"{start}-{second}-{device}.wav")
            for device, seconds in self.takes
            for second in range(seconds)
        ]


def plan(*, train_clips: int, test_clips: int) -> list[Location]:
    """All locations, those of training first.

    Args:
        train_clips: Clips of the training split, of all locations together.
        test_clips: Clips of the test split.

    Returns:
        The locations; scenes and devices have their shares to within one clip.
    """
    locations = []
    for split, clips, cities in (("train", train_clips, CITIES), ("test", test_clips, CITIES + TEST_ONLY_CITIES)):
        for column, (scene, quota) in enumerate(zip(SCENES, _quotas(clips, DEVICE_SHARES[split]), strict=True)):
            for row, takes in enumerate(_takes(quota)):
                # 7 shares no factor with 10 or 12: the rows of a scene walk through all cities.
                city = cities[(column + 7 * row) % len(cities)]
                number = len(locations)
                named = str(1000 + number), str(40_000 + number)
                locations.append(Location(number, scene, city, split, tuple(takes), *named))
    return locations


def _quotas(clips, shares):
    """[{device: clips}] of each scene: each clip goes to the device that is furthest below its share."""
    total, given, number, quotas = sum(shares.values()), dict.fromkeys(shares, 0), 0, []
    for scene in range(len(SCENES)):
        before = dict(given)
        while number < clips * (scene + 1) // len(SCENES):
            number += 1
            given[max(shares, key=lambda name: shares[name] * number / total - given[name])] += 1
        quotas.append({device: given[device] - before[device] for device in shares})
    return quotas


def _takes(quota):
    """[[(device, seconds)]] of each location of one scene; no device is twice at one."""
    pieces = {device: _pieces(clips) for device, clips in quota.items()}
    locations = -(-sum(map(len, pieces.values())) // _DEVICES_AT_ONCE)
    takes, turn = [[] for _ in range(max(locations, *map(len, pieces.values())))], 0
    for device, parts in pieces.items():
        for seconds in parts:
            takes[turn % len(takes)].append((device, seconds))
            turn += 1
    return takes


def _pieces(clips):
    """The seconds of each recording of a device that has so many clips of a second."""
    whole, rest = divmod(clips, SECONDS)
    return [SECONDS] * whole + [rest] * (rest > 0)
