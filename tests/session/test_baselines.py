"""Baselines as a user meets them: missing, kept, grown, accepted, unused."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from textwrap import dedent

import pytest

HEAD = """
import os
import pytest
from tests.graphs import chain, of_size

@pytest.fixture
def net():
    return of_size(int(os.environ.get("SIZE", 20)), name="net")
"""
EXACT = "def test_it(net, assert_matches_baseline): assert_matches_baseline(net)"
GROWTH = "def test_it(net, assert_matches_baseline): assert_matches_baseline(net, max_growth={})"
MARK = "@pytest.mark.layercount(max_growth={})\ndef test_it(net): pass"
FILE = "__layercount__/test_mod.test_it.txt"
MARKED = "__layercount__/test_mod.test_it.net.txt"


@pytest.fixture
def suite(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.delenv("SIZE", raising=False)
    return suite


def run(suite: pytest.Pytester, *options: str, size: int = 20) -> pytest.RunResult:
    os.environ["SIZE"] = str(size)
    try:
        return suite.runpytest(*options)
    finally:
        del os.environ["SIZE"]


def write(suite: pytest.Pytester, source: str, name: str = "test_mod") -> None:
    suite.makepyfile(**{name: HEAD + source})


def recorded(suite: pytest.Pytester, source: str, *options: str) -> None:
    write(suite, source)
    run(suite, "--layercount-update", *options).assert_outcomes(passed=1)


def files(suite: pytest.Pytester) -> list[str]:
    kept = [path for path in suite.path.rglob("*") if "__pycache__" not in path.parts]
    return sorted(
        path.relative_to(suite.path).as_posix()
        for path in kept
        if path.is_file() and "__layercount__" in path.parts
    )


# Missing, written, kept


def test_without_a_baseline_the_test_fails_and_shows_what_would_be_written(suite):
    write(suite, EXACT)
    result = run(suite, size=3)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*net: no baseline yet, has 3 layers",
            f"*would be written to {FILE}:",
            "*    judged: structure",
            "*    layers: 3",
            "*    Dense() -> (None, 8, 8, 4) | 10 parameters, 0 trained | dense2",
            "*    outputs(up1)",
            "*to write it: pytest test_mod.py::test_it --layercount-update=new",
        ]
    )
    assert files(suite) == []


@pytest.mark.parametrize("update", ["--layercount-update", "--layercount-update=new"])
def test_an_update_writes_it_and_then_the_test_passes(suite, update):
    write(suite, EXACT)
    result = run(suite, update)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*layercount baselines*", "wrote 1 baseline:", f"    {FILE}"])
    assert files(suite) == [FILE]
    result = run(suite)
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*layercount baselines*")


def test_workers_do_and_say_what_one_process_does(suite):
    """All at once, because starting workers takes its time."""
    recorded(suite, EXACT.replace("(net)", "(net, 'old')"))
    recorded(suite, MARK.format("'10%'"))
    write(
        suite,
        EXACT.replace("test_it", "test_missing")
        + "\n"
        + MARK.format("'10%'")
        + """
def test_one(net, assert_matches_baseline): assert_matches_baseline(net, "two")
def test_two(net, assert_matches_baseline): assert_matches_baseline(net, "two")
""",
    )
    write(suite, "pytest.skip('not here', allow_module_level=True)", name="test_skipped")
    said = []
    for how in ((), ("-n2",)):
        for update in ((), ("--layercount-update=new",)):
            result = run(suite, *how, *update, "-p", "no:cacheprovider", size=21)
            lines = result.outlines[result.outlines.index(_section(result)) + 1 : -1]
            said.append([line for line in lines if line and not line.startswith(("FAILED", "="))])
        said.append([(file, (suite.path / file).read_text()) for file in files(suite)])
        (suite.path / "__layercount__/test_mod.test_missing.txt").unlink()
    assert said[:3] == said[3:]
    assert said[1] == [
        "wrote 1 baseline:",
        "    __layercount__/test_mod.test_missing.txt",
        "1 baseline whose model differs within what is allowed:",
        f"    {MARKED}",
        "to record the models as they are: pytest test_mod.py::test_it --layercount-update",
        *UNUSED,
        "__layercount__/two.txt: not written, they claim the one name 'two':",
        "    test_mod.py::test_one",
        "    test_mod.py::test_two",
        "give each its own with name=",
    ]
    assert len(said[2]) == 3


def _section(result: pytest.RunResult) -> str:
    return next(line for line in result.outlines if "layercount baselines" in line)


def test_new_leaves_a_baseline_that_is_there(suite):
    recorded(suite, EXACT)
    before = (suite.path / FILE).read_bytes()
    run(suite, "--layercount-update=new", size=21).assert_outcomes(failed=1)
    assert (suite.path / FILE).read_bytes() == before


def test_an_update_leaves_a_file_alone_that_says_the_same_but_for_names_and_keras(suite):
    recorded(suite, EXACT)
    path = suite.path / FILE
    path.write_text(path.read_text().replace("Keras 3.15.0", "Keras 3.3.3").replace("dense7", "x"))
    before = path.read_bytes()
    result = run(suite, "--layercount-update")
    result.stdout.no_fnmatch_line("wrote*")
    assert path.read_bytes() == before


def test_the_body_goes_on_with_what_was_compared(suite):
    source = """
def test_it(net, assert_matches_baseline):
    found = assert_matches_baseline(net, max_growth=3)
    assert found is None or (found.growths[0].delta, found.same) == (2, False)
"""
    recorded(suite, source)
    run(suite, size=22).assert_outcomes(passed=1)


# Growth


def test_without_max_growth_any_difference_fails_with_what_differs_and_how_to_accept(suite):
    recorded(suite, EXACT)
    result = run(suite, size=22)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E   Failed: net: 20 -> 22 layers (+2)",
            f"E   first: the baseline {FILE}, Keras 3.15.0",
            "E   second: the model as it is, Keras 3.15.0",
            "E       +2 *",
            "E          dense20, dense21",
            "E   to accept: pytest test_mod.py::test_it --layercount-update",
        ]
    )
    run(suite, size=19).assert_outcomes(failed=1)


@pytest.mark.parametrize("source", [GROWTH, MARK])
@pytest.mark.parametrize(
    ("growth", "size", "kept"),
    [
        ("'10%'", 22, True),
        ("'10%'", 23, False),
        ("'12.5%'", 22, True),
        ("2", 22, True),
        ("2", 23, False),
        ("0", 20, True),
        ("0", 21, False),
        ("0", 5, True),
    ],
)
def test_max_growth(suite, source, growth, size, kept):
    recorded(suite, source.format(growth))
    result = run(suite, size=size)
    result.assert_outcomes(passed=int(kept), failed=int(not kept))
    if not kept:
        delta = size - 20
        result.stdout.fnmatch_lines([f"*net: 20 -> {size} layers (+{delta})", "*to accept: *"])
    elif size != 20:
        result.stdout.fnmatch_lines(
            [
                "1 baseline whose model differs within what is allowed:",
                f"    {FILE if source == GROWTH else MARKED}",
                "to record the models as they are: pytest test_mod.py::test_it --layercount-update",
            ]
        )


@pytest.mark.parametrize(
    ("arguments", "headline"),
    [
        ("metrics=['parameters']", "net: 190 -> 210 parameters (+20)"),
        ("metrics=['parameters', 'nodes'], max_growth=1", "net: 190 -> 210 parameters (+20)"),
        ("metrics=['nodes', 'parameters'], max_growth=1", "net: 19 -> 21 nodes (+2)"),
        ("metrics=['top'], max_growth='5%'", "net: 20 -> 22 top-level layers (+2)"),
    ],
)
def test_metrics_choose_what_may_not_grow(suite, arguments, headline):
    source = f"def test_it(net, assert_matches_baseline): assert_matches_baseline(net, {arguments})"
    recorded(suite, source)
    run(suite, size=20).assert_outcomes(passed=1)
    result = run(suite, size=22)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"*Failed: {headline}"])


def test_the_command_in_the_failure_accepts(suite):
    recorded(suite, MARK.format("'5%'"))
    result = run(suite, size=30)
    result.assert_outcomes(failed=1)
    (accept,) = [line for line in result.outlines if "to accept: pytest " in line]
    run(suite, *shlex.split(accept.partition("pytest ")[2]), size=30).assert_outcomes(passed=1)
    run(suite, size=30).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("folder", "options"),
    [
        (".", []),
        ("sub", []),
        ("sub", ["--rootdir=.."]),
        ("sub", ["-c", "../own.ini"]),
        (".", ["--pyargs", "sub"]),
        ("elsewhere", ["-c", "../own.ini", "../sub"]),
    ],
    ids=" ".join,
)
def test_the_commands_can_be_pasted_where_pytest_was_started(suite, monkeypatch, folder, options):
    for name in ("sub", "elsewhere"):
        suite.mkdir(name)
    (suite.path / "sub" / "__init__.py").touch()
    source = """
        import pytest
        from tests.graphs import of_size

        @pytest.mark.parametrize("way", ["a b", "c::d"])
        def test_it(way, assert_matches_baseline):
            assert_matches_baseline(of_size(4))
        """
    (suite.path / "sub" / "test_sub.py").write_text(dedent(source))
    ini = (suite.path / "tox.ini").read_text()
    (suite.path / "own.ini").write_text(ini)
    monkeypatch.syspath_prepend(str(suite.path))
    monkeypatch.chdir(suite.path / folder)
    result = suite.runpytest(*options)
    result.assert_outcomes(failed=2)
    commands = [line.partition("pytest ")[2] for line in result.outlines if "to write it: " in line]
    suite.runpytest(*shlex.split(commands[0])).assert_outcomes(passed=1)
    suite.runpytest(*options).assert_outcomes(passed=1, failed=1)
    suite.runpytest(*shlex.split(commands[1])).assert_outcomes(passed=1)
    suite.runpytest(*options).assert_outcomes(passed=2)


def test_the_command_for_several_baselines_names_their_tests_alone(suite):
    source = "\n".join(
        f"def test_{name}(net, assert_matches_baseline): assert_matches_baseline(net, max_growth=9)"
        for name in "abc"
    )
    write(suite, source)
    run(suite, "--layercount-update").assert_outcomes(passed=3)
    result = run(suite, "-k", "not test_b", size=22)
    result.assert_outcomes(passed=2)
    command = "pytest test_mod.py::test_a test_mod.py::test_c --layercount-update"
    result.stdout.fnmatch_lines([f"to record the models as they are: {command}"])


def test_a_group_of_xdist_is_no_part_of_a_baseline(suite):
    source = """
        import pytest
        from tests.graphs import of_size

        @pytest.mark.xdist_group("gpu")
        @pytest.mark.parametrize("way", ["a@b"])
        def test_it(way, assert_matches_baseline):
            assert_matches_baseline(of_size(4))
        """
    suite.makepyfile(test_mod=source)
    grouped = ["-n", "2", "--dist=loadgroup"]
    suite.runpytest(*grouped, "--layercount-update").assert_outcomes(passed=1)
    assert files(suite) == ["__layercount__/test_mod.test_it[a@b].txt"]
    assert "test: test_mod.py::test_it[a@b]\n" in Path(files(suite)[0]).read_text()
    suite.runpytest().assert_outcomes(passed=1)
    suite.runpytest(*grouped).assert_outcomes(passed=1)


def test_folded_models_are_held_against_folded_models(suite):
    source = """
@pytest.mark.parametrize("net", [chain("InputLayer", "Conv2D", "BatchNormalization")])
@pytest.mark.layercount(max_growth=0, folded=FOLDED)
def test_it(net): pass
"""
    recorded(suite, source.replace("FOLDED", "True"))
    (file,) = files(suite)
    text = (suite.path / file).read_text()
    assert "judged: layers after folding\n" in text
    assert "layers: 2\n" in text
    write(suite, source.replace("FOLDED", "False"))
    result = run(suite)
    result.stdout.fnmatch_lines(
        [f"*{file.replace('[', '[[]')} is a baseline of layers after folding, *", "*to accept: *"]
    )


# Names


HOSTILE = [
    "../x",
    "a/b",
    "NUL",
    "C:\\\\x",
    "..",
    ".",
    "~",
    " ",
    "x" * 400,
    "é",
    "a\\nb",
    "a:b",
    "-rf",
]


def test_no_name_leads_out_of_the_folder(suite):
    source = f"""
NAMES = {HOSTILE!r}

@pytest.mark.parametrize("name", NAMES, ids=NAMES)
def test_id(name, net, assert_matches_baseline):
    assert_matches_baseline(net)

@pytest.mark.parametrize("number", range(len(NAMES)))
def test_name(number, net, assert_matches_baseline):
    assert_matches_baseline(net, NAMES[number])
"""
    write(suite, source.replace("\\\\\\\\", "\\\\").replace("\\\\n", "\\n"))
    before = set(suite.path.parent.iterdir()), set(suite.path.iterdir())
    run(suite, "--layercount-update", size=3).assert_outcomes(passed=2 * len(HOSTILE))
    found = files(suite)
    assert len(found) == 2 * len(HOSTILE)
    assert all(Path(file).parent == Path("__layercount__") for file in found)
    assert all(len(Path(file).name) < 120 and Path(file).name.isascii() for file in found)
    assert set(suite.path.parent.iterdir()) == before[0]
    new = {path.name for path in set(suite.path.iterdir()) - before[1]}
    assert new <= {"__layercount__", "__pycache__", ".pytest_cache"}
    run(suite, size=3).assert_outcomes(passed=2 * len(HOSTILE))


@pytest.mark.parametrize(
    ("one", "two", "why"),
    [
        ("detector", "detector", "they claim the one name 'detector'"),
        ("Detector", "detector", "the names 'Detector' and 'detector' need one file"),
    ],
)
def test_two_tests_that_claim_one_file_are_an_error_that_names_both(suite, one, two, why):
    source = f"""
def test_one(net, assert_matches_baseline): assert_matches_baseline(net, {one!r})
def test_two(net, assert_matches_baseline): assert_matches_baseline(net, name={two!r})
"""
    write(suite, source)
    result = run(suite, "--layercount-update")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            f"__layercount__/{one}.txt: not written, {why}:",
            "    test_mod.py::test_one",
            "    test_mod.py::test_two",
            "give each its own with name=",
        ]
    )
    assert files(suite) == []


def test_a_test_with_two_models_must_name_them(suite):
    write(
        suite,
        """
def test_it(net, assert_matches_baseline):
    assert_matches_baseline(net)
    assert_matches_baseline(net)

def test_named(net, assert_matches_baseline):
    assert_matches_baseline(net, "one")
    assert_matches_baseline(net, "two")
""",
    )
    result = run(suite, "--layercount-update")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*this test already has a baseline 'test_mod.test_it': give each model a name*"]
    )


def test_a_test_that_is_run_again_claims_its_own_baseline(suite):
    suite.makeconftest(
        """
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    runtestprotocol(item, nextitem=None, log=True)
"""
    )
    write(suite, EXACT)
    result = run(suite, "--layercount-update")
    result.assert_outcomes(passed=2)
    assert files(suite) == [FILE]


def test_the_mark_names_baselines_by_where_models_come_from(suite):
    write(
        suite,
        """
@pytest.fixture
def pair(net): return {"a": net, "b": [of_size(4)]}

class TestPair:
    @pytest.mark.layercount(max_growth=1)
    def test_it(self, pair): pass
""",
    )
    run(suite, "--layercount-update").assert_outcomes(passed=1)
    text = "".join((suite.path / file).read_text() for file in files(suite))
    assert sorted(line for line in text.splitlines() if line.startswith("name: ")) == [
        "name: test_mod.TestPair.test_it.pair['a']",
        "name: test_mod.TestPair.test_it.pair['b'][0]",
    ]


# Trouble with files


def test_a_damaged_baseline_names_file_and_line(suite):
    recorded(suite, EXACT)
    path = suite.path / FILE
    path.write_text(path.read_text().replace("| dense7", "| dense7\n<<<<<<< HEAD"))
    result = run(suite)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [f"*{FILE}:27: damaged baseline: is not the call of a layer as a baseline has it; *"]
    )
    path.write_bytes(b"# pytest-layercount baseline 1\n\xff")
    result = run(suite)
    result.stdout.fnmatch_lines([f"*{FILE}:2: damaged baseline: is not UTF-8 text; *"])
    run(suite, "--layercount-update").assert_outcomes(passed=1)
    run(suite).assert_outcomes(passed=1)


def test_a_baseline_whose_layers_make_no_model_is_damaged(suite):
    source = EXACT.replace("(net)", "(chain('InputLayer', 'BatchNormalization'))")
    recorded(suite, source)
    path = suite.path / FILE
    path.write_text(path.read_text().replace("epsilon=0.001", "axis='x'"))
    result = run(suite)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"*{FILE}: damaged baseline: its layers make no model (*)"])


def test_a_copied_baseline_is_not_anothers(suite):
    recorded(suite, EXACT)
    (suite.path / FILE).rename(suite.path / "__layercount__/other.txt")
    write(suite, EXACT.replace("(net)", "(net, 'other')"))
    result = run(suite)
    result.stdout.fnmatch_lines(
        ["*__layercount__/other.txt is the baseline 'test_mod.test_it': a copy, or renamed by hand"]
    )


def test_a_folder_that_cannot_be_written_is_said_in_one_sentence(suite):
    (suite.path / "__layercount__").write_text("in the way")
    write(suite, EXACT)
    result = run(suite, "--layercount-update")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"cannot * the baseline {FILE}: *"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_nothing_is_left_of_a_write_that_fails(suite, monkeypatch):
    recorded(suite, EXACT)
    before = (suite.path / FILE).read_bytes()

    def fail(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", fail)
        result = run(suite, "--layercount-update", size=30)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"cannot write the baseline {FILE}: No space left on device"])
    assert (suite.path / FILE).read_bytes() == before
    assert [path.name for path in (suite.path / FILE).parent.iterdir()] == [Path(FILE).name]


# Unused


UNUSED = ["1 baseline that no test uses, to be deleted:", "    __layercount__/old.txt"]
OTHERS = """
def test_other(): pass
"""


def with_unused(suite: pytest.Pytester) -> None:
    recorded(suite, EXACT.replace("(net)", "(net, 'old')"))
    write(suite, EXACT + OTHERS)
    run(suite, "--layercount-update=new")


def test_a_baseline_that_no_test_uses_is_reported_and_fails_a_strict_run(suite):
    with_unused(suite)
    result = run(suite)
    assert result.ret == 0
    result.stdout.fnmatch_lines(UNUSED)
    result = run(suite, "--layercount-strict-baselines")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    why = "they fail the run: layercount_strict_baselines is set"
    result.stdout.fnmatch_lines([*UNUSED, why], consecutive=True)
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize(
    "options",
    [
        ("-k", "other"),
        ("--deselect", "test_mod.py::test_other"),
        ("test_mod.py",),
        ("test_mod.py::test_it",),
        ("--ignore", "nothing.py"),
        ("--lf",),
        ("--collect-only",),
        ("-n2", "-k", "other"),
    ],
)
def test_after_a_part_of_the_tests_none_is_called_unused(suite, options):
    with_unused(suite)
    result = run(suite, *options, "--layercount-strict-baselines")
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*that no test uses*")


def test_a_folder_is_a_complete_run_of_its_own(suite):
    with_unused(suite)
    run(suite, ".").stdout.fnmatch_lines(UNUSED)


@pytest.mark.parametrize(
    ("body", "options"),
    [
        ("pytest.skip('not here')", ()),
        ("assert False", ()),
        ("pytest.xfail('not yet')", ()),
        ("assert False", ("-x",)),
    ],
)
def test_a_test_that_did_not_get_there_keeps_its_baseline(suite, body, options):
    recorded(suite, EXACT)
    write(suite, f"def test_it(): {body}\ndef test_other(): pass")
    run(suite, *options).stdout.no_fnmatch_line("*that no test uses*")


def test_a_module_that_skips_itself_keeps_its_baselines(suite):
    recorded(suite, EXACT)
    write(suite, "pytest.skip('no GPU', allow_module_level=True)\n" + EXACT)
    write(suite, OTHERS, name="test_second")
    run(suite).stdout.no_fnmatch_line("*that no test uses*")


@pytest.mark.parametrize(
    ("kept", "options"),
    [
        ("collect_ignore = ['test_mod.py']", []),
        ("collect_ignore = ['test_mod.py']", ["-n", "2"]),
        ("collect_ignore_glob = ['*_mod.py']", []),
        ("def pytest_ignore_collect(collection_path): return 'mod' in str(collection_path)", []),
    ],
    ids=["ignored", "ignored by workers", "glob", "hook"],
)
def test_a_file_that_is_kept_from_being_collected_keeps_its_baselines(suite, kept, options):
    recorded(suite, EXACT)
    write(suite, OTHERS, name="test_second")
    suite.makeconftest(kept)
    result = run(suite, "--layercount-strict-baselines", *options)
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*that no test uses*")


def test_a_baseline_whose_test_file_is_gone_is_unused(suite):
    recorded(suite, EXACT)
    (suite.path / "test_mod.py").unlink()
    write(suite, OTHERS, name="test_second")
    result = run(suite)
    result.stdout.fnmatch_lines(["1 baseline that no test uses*", f"    {FILE}"])


# Arguments


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("max_growth=-1", "must be a whole number that is not negative, or text like '5%'"),
        ("max_growth='-5%'", "must be a whole number that is not negative, or text like '5%'"),
        ("max_growth='much'", "must be a whole number that is not negative, or text like '5%'"),
        ("max_growth=0.05", "must be a whole number that is not negative, or text like '5%'"),
        ("metrics='layers'", "must be a list or tuple of metrics, like ('layers', 'parameters')"),
        ("metrics=[]", "must be a list or tuple of metrics, like ('layers', 'parameters')"),
        ("metrics=['layer']", "there is no metric 'layer'; did you mean 'layers'?"),
        ("name=''", "must be text that is not empty"),
        ("name=3", "must be text that is not empty"),
    ],
)
def test_bad_arguments_are_said_plainly(suite, arguments, problem):
    write(
        suite,
        f"def test_it(net, assert_matches_baseline): assert_matches_baseline(net, {arguments})",
    )
    result = run(suite)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [f"*assert_matches_baseline({arguments.replace('[', '[[]')}): {problem}"]
    )


def test_bad_growth_in_a_mark_is_an_error_at_collection(suite):
    write(suite, MARK.format("'5'"))
    run(suite).assert_outcomes(failed=1)
    write(suite, MARK.format("-5"))
    result = run(suite)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["layercount(max_growth=-5): must be a whole number that is not*"])


def test_a_baseline_of_the_old_format_is_said_to_show_less(suite):
    recorded(suite, EXACT)
    path = suite.path / FILE
    path.write_text(path.read_text().replace("baseline 2", "baseline 1", 1))
    result = run(suite)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["1 baseline of an old format, in which other settings go unseen:", f"    {FILE}"]
    )
    result = run(suite, size=21)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the baseline is of an old format that does not show every*"])
    run(suite, "--layercount-update").assert_outcomes(passed=1)
    run(suite).stdout.no_fnmatch_line("*old format*")
