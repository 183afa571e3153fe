"""Parts that a machine may lack: a test that needs one skips, or, where all must run, fails."""

import os
import shutil
from importlib.metadata import PackageNotFoundError, version
from typing import NoReturn

import pytest


def lack(told: str) -> NoReturn:
    """Skip the test for what is not there; with STENOD_TEST_ALL=1, fail it."""
    if os.environ.get("STENOD_TEST_ALL") == "1":
        pytest.fail(f"{told}, and STENOD_TEST_ALL=1 wants every test to run")
    pytest.skip(told)


def require_program(program: str) -> None:
    """Skip or fail the test if a program is not installed."""
    if shutil.which(program) is None:
        lack(f"{program} is not installed")


def require_package(package: str, extra: str) -> None:
    """Skip or fail the test if a package of one of our extras is not installed."""
    try:
        version(package)
    except PackageNotFoundError:
        lack(f"{package} is not installed (pip install 'stenod[{extra}]')")
