"""`dreamer plugins new` and `dreamer plugins check`: for authors of plugins."""

from __future__ import annotations

import keyword
import os
import re
import shlex
import shutil
from importlib.resources import files
from pathlib import Path
from string import Template

import click

from dreamer import __version__
from dreamer.cli.options import option
from dreamer.cli.photos import check_folder
from dreamer.cli.streams import echo, line
from dreamer.cli.tables import table
from dreamer.cli.values import FILE
from dreamer.errors import UsageError, WriteError, collect_problems, reported_together

_LONGEST = 40  # letters of a name
_TAKEN = frozenset({"hookimpl", "register-priors"})
"""Names with another meaning in the module of a new plugin."""

_FILES = {
    "pyproject.toml": "pyproject.toml.in",
    "README.md": "README.md.in",
    ".gitignore": "gitignore.in",
    "$module/__init__.py": "module.py.in",
    "$module/presets/$name.toml": "preset.toml.in",
    "tests/conftest.py": "conftest.py.in",
    "tests/test_$ingredient.py": "test.py.in",
}
"""The files of a new project, and the templates that they are made from."""


@click.command()
@click.argument("plugin", metavar="FOLDER|NAME")
def check(plugin: str) -> int:
    """Test everything that a plugin adds.

    FOLDER is that of a plugin's project, which need not be installed; NAME is an installed plugin. Each objective,
    prior, transform, filter and update runs on a tiny network with its defaults and at the ends of its options'
    ranges, each network computes its default layer, and each preset dreams one step. Nothing is downloaded. The
    plugin's code runs with your rights.
    """
    from dreamer.testing import broken, examine

    folder = Path(plugin)
    named = folder.is_dir() and (folder / "pyproject.toml").exists()
    findings = examine(folder if named or {"/", os.sep} & {*plugin} else plugin)
    table(("", "what", "name", "finding"), [(f.verdict, f.kind, line(f.name), line(f.sentence)) for f in findings])
    return 1 if broken(findings) else 0


@click.command()
@click.argument("name")
@option(
    "-o", "--output", "--folder", "folder", metavar="FOLDER", type=FILE, default=".", help="Where to create it. [here]"
)
def new(name: str, folder: Path) -> None:
    """Create a plugin: a complete project that works.

    NAME, as in slow-tide, becomes the folder slow-tide with the distribution dreamer-slow-tide: a prior with an option,
    a preset that uses it, tests, and everything needed to install and publish it.
    """
    project = folder / name
    with reported_together() as problems:
        with collect_problems(problems):
            _check_name(name)
        with collect_problems(problems):
            check_folder(folder, f"-o {folder}")
        if not problems and project.exists():
            problems.append(f"{project} already exists and is never overwritten; choose another name or folder")
    _check_free(name)
    _write(project, _words(name))
    where = shlex.quote(str(project) if project.is_absolute() else f"./{project}")
    echo(line(f"Created {project}, a plugin that works. Next steps:"))
    echo(line(f"  dreamer plugins install {where}"))
    echo(f"  dreamer plugins check {name}")
    echo(f"  dreamer render --sample --preset {name}")


def _words(name: str) -> dict[str, str]:
    """The values of the templates' placeholders."""
    return {
        "name": name,
        "title": name.replace("-", " ").capitalize(),
        "distribution": f"dreamer-{name}",
        "module": f"dreamer_{name.replace('-', '_')}",
        "ingredient": name.replace("-", "_"),
        "version": ".".join(__version__.split(".")[:2]),
    }


def _write(project: Path, words: dict[str, str]) -> None:
    """Create the project's folder; if that fails, nothing is left of it."""
    templates = files("dreamer") / "templates"
    made = False
    try:
        project.mkdir()
        made = True
        for place, template in _FILES.items():
            path = project / Template(place).substitute(words)
            path.parent.mkdir(parents=True, exist_ok=True)
            text = Template((templates / template).read_text(encoding="utf-8")).substitute(words)
            path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        if made:
            shutil.rmtree(project, ignore_errors=True)
        raise WriteError(
            f"{project}: cannot be written ({error.strerror or error}); choose another folder with -o"
        ) from error


def _check_name(name: str) -> None:
    """Raise UsageError unless distribution, module, prior and preset can all have this name."""
    if re.match(r"dreamer[-_]", name, re.IGNORECASE):
        raise UsageError(f"{line(name)}: leave out {name[:8]}; the distribution is called dreamer-NAME anyway")
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or len(name) > _LONGEST:
        rule = f"small letters, digits and single hyphens, a letter first, at most {_LONGEST} in all, as in slow-tide"
        raise UsageError(f"{line(name)}: the name of a plugin consists of {rule}")
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or name in _TAKEN:
        raise UsageError(f"{name}: reserved by Python or dreamer; choose another name")


def _check_free(name: str) -> None:
    """Raise UsageError if a built-in prior or preset has this name, which no plugin can take."""
    from dreamer.plugins.loading import load_plugins
    from dreamer.recipes.registry import BUILT_IN

    registry = load_plugins()[0]
    for noun, shelf in (("prior", registry.ingredients["priors"]), ("preset", registry.presets)):
        for entry in shelf:
            if entry.source == BUILT_IN and entry.name.replace("_", "-") == name:
                raise UsageError(f"{name}: dreamer has a built-in {noun} {entry.name}; choose another name")
