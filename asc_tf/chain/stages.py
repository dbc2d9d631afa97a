"""The stages of a recipe: its own run and all runs that come before it, with their folders."""

import dataclasses
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from asc_tf.errors import UserError
from asc_tf.recipe import resolve
from asc_tf.recipe.schema import Recipe, Teacher
from asc_tf.runs import digests, layout
from asc_tf.runs import folder as run_folder
from asc_tf.runs.folder import RunFolder


@dataclass(frozen=True, eq=False)
class Stage:
    """One run of a chain and the stages that come before it.

    Args:
        recipe: Its recipe, with the data and the seed that it is trained with.
        path: Folder of its run.
        title: Its part in the whole: "student", "teacher", "init", "member" or "system".
        initial: The stage whose weights it starts from, or None.
        teachers: The stages of every [[teacher]], one for each of its runs.
        members: The stages of a system's members.
    """

    recipe: Recipe
    path: Path
    title: str
    initial: "Stage | None" = None
    teachers: tuple[tuple["Stage", ...], ...] = ()
    members: tuple["Stage", ...] = field(default=())

    @property
    def run(self) -> RunFolder:
        """The folder of its run, which may not exist yet."""
        return RunFolder(self.path, self.recipe)

    @property
    def done(self) -> bool:
        """Whether its run is finished or imported."""
        return self.run.finished or self.run.imported

    @property
    def named_teachers(self) -> list[tuple[Teacher, "Stage"]]:
        """The [[teacher]] entries that name a run, each with that run, which is taken as it is."""
        entries = zip(self.recipe.teacher, self.teachers, strict=False)
        return [(entry, runs[0]) for entry, runs in entries if entry.run]

    @property
    def before(self) -> list["Stage"]:
        """The stages that it needs itself, in the order in which they are trained."""
        initial = [self.initial] if self.initial else []
        return [*self.members, *initial, *(run for runs in self.teachers for run in runs)]


def stages(recipe: Recipe, out: Path) -> Stage:
    """The stages of a recipe; runs that it depends on lie beside its own.

    Their names hold a digest of the whole recipe and of all that it depends on, so that no other run is taken for
    one. Instead of the recipe of [init] an imported run of the same network and front end is taken.

    Args:
        recipe: The recipe.
        out: Folder of its run.

    Raises:
        UserError: A recipe depends on itself, or several imported runs fit.
    """
    resolve.dependencies(recipe)  # raises UserError for a circle
    return _stage(recipe, out, "system" if recipe.member else "student", _initial(recipe, out.parent))


def in_order(stage: Stage, *, to_do: bool = False) -> list[Stage]:
    """A stage and all before it, each once, in the order in which they are trained.

    Args:
        stage: The last stage.
        to_do: Whether to leave out what is done, and what only that would need.
    """
    return list({one.path: one for one in _walk(stage, to_do)}.values())


def _walk(stage: Stage, to_do: bool) -> Iterator[Stage]:
    if to_do and stage.done:
        return
    for one in stage.before:
        yield from _walk(one, to_do)
    yield stage


def _stage(recipe, path, title, initial):
    folder = path.parent
    return Stage(
        recipe,
        path,
        title,
        initial,
        tuple(_teachers(recipe, folder)),
        tuple(_members(recipe, folder)),
    )


def _beside(recipe, folder, title):
    parts = [recipe, *resolve.dependencies(recipe)]
    texts = [resolve.to_toml(part) for part in parts]
    initial = _initial(recipe, folder)
    if initial and initial.run.imported:
        texts.append(initial.run.read(layout.IMPORT_REPORT))
    named = [_named(part, "teacher.run", entry.run) for part in parts for entry in part.teacher if entry.run]
    texts += map(digests.network, named)
    digest = hashlib.sha256("".join(texts).encode()).hexdigest()[:8]
    return _stage(recipe, folder / f"{recipe.name}-{recipe.seed}-{digest}", title, initial)


def _initial(recipe, folder):
    if recipe.init and recipe.init.run:
        run = _named(recipe, "init.run", recipe.init.run)
        return Stage(run.recipe, run.path, "init")
    before = resolve.initial(recipe)
    if before is None:
        return None
    imported = _imported_instead(recipe, before, folder)
    return Stage(imported.recipe, imported.path, "init") if imported else _beside(before, folder, "init")


def _imported_instead(recipe, before, folder):
    """The imported run beside a recipe's whose network and front end are those of its [init]; None without one."""
    runs = [run_folder.load(file.parent) for file in sorted(folder.glob(f"*/{layout.IMPORT_REPORT}"))]
    keys = ("model", "feature", "normalise")
    fitting = [run for run in runs if all(getattr(run.recipe, key) == getattr(before, key) for key in keys)]
    if len(fitting) > 1:
        paths = ", ".join(str(run.path) for run in fitting)
        raise UserError(
            f"{recipe.file}: init.recipe = '{recipe.init.recipe}': several imported runs fit: {paths}. Name one by "
            "init.run instead, or move the others."
        )
    return fitting[0] if fitting else None


def _teachers(recipe, folder):
    for entry, recipes in zip(recipe.teacher, resolve.teachers(recipe), strict=True):
        if entry.run:
            run = _named(recipe, "teacher.run", entry.run)
            on_data = dataclasses.replace(resolve.on_data_of(recipe, run.recipe), labels=run.labels)
            yield (Stage(on_data, run.path, "teacher"),)
        else:
            yield tuple(_beside(one, folder, "teacher") for one in recipes)


def _members(recipe, folder):
    for entry, recipes in zip(recipe.member, resolve.members(recipe), strict=True):
        if entry.run:
            run = _named(recipe, "member.run", entry.run)
            yield Stage(run.recipe, run.path, "member")
        yield from (_beside(one, folder, "member") for one in recipes)


def _named(recipe, key, path):
    """The run that a recipe names, which training or an import has completed."""
    run = run_folder.load(Path(path).expanduser())
    if not (run.finished or run.imported):
        raise UserError(f"{recipe.file}: {key} = '{path}' is not finished; train it to its end first.")
    return run
