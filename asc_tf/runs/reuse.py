"""Where is the finished run of a recipe that another run needs: is it there, or must it be trained first?"""

import hashlib

from asc_tf.recipe import resolve as recipes
from asc_tf.runs import folder as run_folder


def run(folder, recipe, train, *, title):
    """The finished RunFolder of a recipe in `folder`, trained to its end by `train` (as train.train) if it is not yet.

    Its name holds a digest of the whole recipe and of all that it needs, so that nothing else is ever taken for it.
    """
    whole = "".join(recipes.to_toml(part) for part in (recipe, *recipes.needed(recipe)))
    name = f"{recipe.name}-{recipe.seed}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"
    found = run_folder.RunFolder(folder / name, recipe)
    if found.finished:
        print(f"{title} {name}: reused")
        return found
    print(f"{title} {name}:")
    return train(recipe, found.path, resume=True, title=title)
