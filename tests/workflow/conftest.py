"""A copy of the project in which a small study is run once; the tests look at it and start further runs in it."""

import pytest
from project import Project, small_experiment


@pytest.fixture(scope="session")
def fresh_project(tmp_path_factory) -> Project:
    """A project with the small experiment in which nothing has run."""
    project = Project(tmp_path_factory.mktemp("fresh") / "project")
    project.write_experiment(small_experiment())
    return project


@pytest.fixture(scope="session")
def finished_project(tmp_path_factory) -> Project:
    """A project in which the whole small study has run."""
    project = Project(tmp_path_factory.mktemp("finished") / "project")
    project.write_experiment(small_experiment())
    project.snakemake("all")
    return project
