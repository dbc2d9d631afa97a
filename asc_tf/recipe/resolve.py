"""Reading, checking and writing of recipes.

A recipe is a TOML file. A section with a `name` chooses a part and its other keys are that part's
settings, checked against the part's signature (registry.py). The fixed sections are the dataclasses of
schema.py. `--set section.key=value` overrides any key (overrides.py). Everything is checked here, before
any data is read; the resolved recipe, defaults filled in, is stored in the run folder. Recipes that a recipe depends on
(dependencies.py) are loaded with the same changes.
"""

import dataclasses
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tomli_w

from asc_tf.errors import UserError, nearest
from asc_tf.recipe import overrides as recipe_overrides
from asc_tf.recipe import registry, toml_file
from asc_tf.recipe.checks import expanded, from_tree
from asc_tf.recipe.schema import LISTS, UNWRITTEN, Changes, Part, Recipe, entry_name

SHIPPED = Path(__file__).parents[1] / "recipes"
SMALL = "small.toml"  # beside recipes: settings with which their whole chain takes minutes


def names() -> list[str]:
    """Names of the shipped recipes, sorted."""
    return sorted(_shipped())


def load(
    recipe: str | Path,
    overrides: Iterable[str] = (),
    *,
    beside: str | Path | None = None,
    data: str | Path | None = None,
    small: bool = False,
) -> Recipe:
    """Reads, checks and resolves a recipe.

    Args:
        recipe: Name of a shipped recipe, or path of a TOML file.
        overrides: "section.key=value" texts, as of `--set`; "PATTERN:section.key=value" for all recipes of that name
            which it depends on, and for itself.
        beside: A further folder to look in for the name.
        data: Folder of the data: what the recipe, and those it depends on, name by relative paths.
        small: Whether the settings of small.toml beside the recipe are applied to it and to all it depends on.

    Returns:
        The resolved Recipe, defaults filled in.

    Raises:
        UserError: Names the file, key, value, what exists and the nearest match.
    """
    file = find(recipe, beside=beside)
    own, of_chain = recipe_overrides.of_chain(overrides)
    values = (*(recipe_overrides.read(file.with_name(SMALL)) if small else ()), *of_chain)
    loaded = _load(file, Changes(values, None if data is None else str(data)), own)
    if of_chain:
        _check_matched(loaded, of_chain)
    return loaded


def find(recipe: str | Path, *, beside: str | Path | None = None) -> Path:
    """File of a recipe given as a path or as the name of a shipped one.

    Raises:
        UserError: There is no such recipe.
    """
    path, shipped = Path(recipe), _shipped()
    near = [Path(beside) / f"{recipe}.toml"] if beside else []
    of_name = [shipped[str(recipe)]] if str(recipe) in shipped else []
    for candidate in (path, *near, *of_name):
        if candidate.is_file() and candidate.suffix == ".toml":
            return candidate
    raise UserError(f"recipe '{recipe}': there is no such file or shipped recipe. {nearest(path.stem, names())}")


def load_single(recipe: str | Path, overrides: Iterable[str] = (), **settings: Any) -> Recipe:
    """Reads, checks and resolves the recipe of one network.

    Args:
        recipe: As of `load`.
        overrides: As of `load`.
        **settings: As of `load`.

    Raises:
        UserError: As of `load`, or the recipe is that of a system of several networks.
    """
    loaded = load(recipe, overrides, **settings)
    if loaded.member:
        members = ", ".join(entry_name(dataclasses.asdict(member)) for member in loaded.member)
        raise UserError(f"{loaded.file}: is a system of several networks; name one of its members: {members}.")
    return loaded


def referenced(recipe: Recipe, name: str) -> Recipe:
    """The Recipe that another one names in [init], [[teacher]] or [[member]], with the same changes.

    Args:
        recipe: The recipe that names it.
        name: Name of a shipped recipe, or a file, which may lie beside that of `recipe`.
    """
    return _load(find(name, beside=Path(recipe.file).parent), recipe.changes)


def initial(recipe: Recipe) -> Recipe | None:
    """The recipe of [init], with its seed, or the recipe's, and its own data, or the recipe's; None without one."""
    if not (recipe.init and recipe.init.recipe):
        return None
    seed = recipe.seed if recipe.init.seed is None else recipe.init.seed
    before = dataclasses.replace(referenced(recipe, recipe.init.recipe), seed=seed)
    return on_data_of(recipe, before) if recipe.init.same_data else before


def teachers(recipe: Recipe) -> list[list[Recipe]]:
    """The recipes of every [[teacher]], one for each of its runs, on the recipe's data; none where it names a run."""
    return [_of_runs(recipe, entry, 1) for entry in recipe.teacher]


def members(recipe: Recipe) -> list[list[Recipe]]:
    """The recipes of every [[member]], one for each of its runs, on the recipe's data; none where it names a run."""
    return [_of_runs(recipe, entry, recipe.seed) for entry in recipe.member]


def on_data_of(recipe: Recipe, other: Recipe) -> Recipe:
    """Another recipe with [dataset] and [data] of a recipe.

    Args:
        recipe: The recipe whose data are taken.
        other: The recipe that gets them.
    """
    return dataclasses.replace(other, dataset=recipe.dataset, data=recipe.data)


def dependencies(recipe: Recipe) -> list[Recipe]:
    """All recipes whose runs come before a recipe's, each after those that it depends on.

    Those of [init], [[teacher]] and [[member]], with the data and the seed that they are trained with.

    Raises:
        UserError: A recipe depends on itself.
    """
    return _dependencies(recipe, ())


def _dependencies(recipe, above):
    """above: files of the recipes that led here."""
    before = initial(recipe)
    direct = [one for runs in (*teachers(recipe), *members(recipe)) for one in runs] + ([before] if before else [])
    recipes = []
    for dependency in direct:
        path = (*above, Path(dependency.file).resolve())
        if path[-1] in above:
            circle = " -> ".join(file.stem for file in path)
            raise UserError(
                f"{dependency.file}: [init], [[teacher]] and [[member]] lead back to this recipe ({circle}); break the "
                "circle."
            )
        recipes += [*_dependencies(dependency, path), dependency]
    return recipes


def changed(recipe: Recipe, settings: Mapping[str, Any], source: str) -> Recipe:
    """A recipe with other values of some keys; those it depends on stay as they are.

    Args:
        recipe: The recipe.
        settings: {"section.key" or "section": value}; sections are set before their keys.
        source: What the values come from, for errors.

    Raises:
        UserError: As of `load`.
    """
    tree = tomllib.loads(to_toml(recipe))
    for path in sorted(settings, key=lambda path: path.count(".")):
        recipe_overrides.assign(tree, path, settings[path], f"{source}: {path}")
    return from_tree(tree, recipe.file, recipe.changes)


def to_toml(recipe: Recipe) -> str:
    """TOML text of a recipe; it loads to an equal recipe."""
    tree = {}
    for key, value in ((f.name, getattr(recipe, f.name)) for f in dataclasses.fields(recipe)):
        if key in UNWRITTEN or value is None or value == ():
            continue
        tree[key] = [_plain(item) for item in value] if isinstance(value, tuple) else _plain(value)
    return tomli_w.dumps(tree)


def flat(recipe: Recipe) -> dict[str, Any]:
    """Values of a recipe by their keys: "section.key", of lists of sections "section.name.key".

    Args:
        recipe: The recipe.
    """
    return _flat(tomllib.loads(to_toml(recipe)))


def differences(one: Recipe, other: Recipe) -> list[str]:
    """Keys in which two recipes differ, each as 'key: value of one, value of the other'."""
    flat_one, flat_other = flat(one), flat(other)
    keys = sorted(set(flat_one) | set(flat_other))
    return [f"{k}: {flat_one.get(k)!r}, {flat_other.get(k)!r}" for k in keys if flat_one.get(k) != flat_other.get(k)]


def _shipped():
    """{name: file} of the shipped recipes, those of small settings left out."""
    return {file.stem: file for file in sorted(SHIPPED.rglob("*.toml")) if file.name != SMALL}


def _load(file, changes, overrides=()):
    tree = toml_file.read(file)
    for change in changes.values:
        if recipe_overrides.matches(change, file.stem):
            recipe_overrides.assign(tree, change.path, change.value, change.source)
    for override in overrides:
        recipe_overrides.apply(tree, override)
    if changes.data is not None:
        _look_in(Path(expanded(changes.data)), tree)
    return from_tree(tree, file, changes)


def _look_in(folder, tree):
    """Relative folders of dataset and augmentations, in place, below the folder of the data where they are there."""
    if not folder.is_dir():
        raise UserError(f"--data {folder}: there is no such folder.")
    dataset = tree.get("dataset")
    if isinstance(dataset, dict) and isinstance(dataset.get("root"), str):
        dataset["root"] = str(_root_in(folder, dataset))
    augmentations = tree.get("augmentation")
    for section in [dataset, *(augmentations if isinstance(augmentations, list) else ())]:
        for key in ("folder", "splits_folder"):
            if isinstance(section, dict) and section.get(key) and (folder / str(section[key])).is_dir():
                section[key] = str(folder / str(section[key]))


def _root_in(folder, dataset):
    """Folder of a dataset: that of its name below `folder` or, where its tables lie in it, `folder` itself."""
    name, root = dataset.get("name"), dataset["root"]
    if Path(expanded(root)).is_absolute():
        return root
    tables = getattr(registry.module("dataset", name), "TABLES", None) if name in registry.names("dataset") else None
    if tables is None:  # no published dataset: its folder is the user's own, or made where it is not
        return folder / root if (folder / root).is_dir() else root
    whole = not (folder / root).is_dir() and any((folder / table).is_file() for table in tables)
    return folder if whole else folder / root


def _of_runs(recipe, entry, first_seed):
    """The recipes of a [[teacher]] or [[member]], a seed each from the first on; none where it names a run."""
    if not entry.recipe:
        return []
    one = on_data_of(recipe, referenced(recipe, entry.recipe))
    return [dataclasses.replace(one, seed=first_seed + number) for number in range(entry.runs)]


def _check_matched(recipe, changes):
    names_of_chain = [recipe.name, *(one.name for one in dependencies(recipe))]
    for change in changes:
        if not any(recipe_overrides.matches(change, name) for name in names_of_chain):
            known = ", ".join(dict.fromkeys(names_of_chain))
            raise UserError(f"{change.source}: no recipe of this chain has such a name. Known: {known}.")


def _plain(value):
    # TOML has no None: what was left out is left out again.
    if isinstance(value, Part):
        return {"name": value.name} | {key: item for key, item in value.settings.items() if item is not None}
    if dataclasses.is_dataclass(value):
        return {key: item for key, item in dataclasses.asdict(value).items() if item is not None}
    return value


def _flat(tree, prefix=""):
    flat = {}
    for key, value in tree.items():
        inner = {entry_name(item): item for item in value} if key in LISTS else value
        flat |= _flat(inner, f"{prefix}{key}.") if isinstance(inner, dict) else {f"{prefix}{key}": inner}
    return flat
