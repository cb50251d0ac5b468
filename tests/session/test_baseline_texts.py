"""What is said of baselines at the end of a run."""

from __future__ import annotations

from pytest_layercount.checks.claims import Claim
from pytest_layercount.session.baselines import clash, listed, to_record
from tests.texts import same


def test_drifted_unused_and_written():
    claim = Claim("", "a.txt", "a", "test_a.py::test_it", ["test_a.py::test_it"])
    same(
        to_record([claim], "whose model differs within what is allowed"),
        """
        1 baseline whose model differs within what is allowed:
            a.txt
        to record the models as they are: pytest test_a.py::test_it --layercount-update
        """,
    )
    twenty = [f"{n}.txt" for n in range(20)]
    assert listed("{} that no test uses, to be deleted:", twenty).splitlines() == [
        "20 baselines that no test uses, to be deleted:",
        *(f"    {n}.txt" for n in range(10)),
        "    and 10 more",
    ]
    same(
        listed("wrote {}:", ["a.txt", "b.txt"]),
        """
        wrote 2 baselines:
            a.txt
            b.txt
        """,
    )


def test_clashes():
    same(
        clash("x.txt", {"t.py::one": "x", "t.py::two": "x"}),
        """
        x.txt: not written, they claim the one name 'x':
            t.py::one
            t.py::two
        give each its own with name=
        """,
    )
    same(
        clash("x.txt", {"t.py::one": "X", "t.py::two": "x"}),
        """
        x.txt: not written, the names 'X' and 'x' need one file:
            t.py::one
            t.py::two
        give each its own with name=
        """,
    )
