"""Every verb where something is taken away from it: one line, exit code 2, nothing half-written.

Read verbs answer where they can: from a home that cannot be written, or has no room.
"""

import os
import pwd
import resource
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

import barograph
from barograph.errors import BarographError
from barograph.files.disk import check_room
from verb_words import HOMELESS, WORDS, Door, verbs, words_of

pytestmark = pytest.mark.operations

READ = {
    "alerts list", "archive list", "archive verify", "check", "check-feature", "deadletters list",
    "deadletters show",
    "models history", "models list", "models show", "report compare", "topics dump",
    "topics list", "verify",
}  # fmt: skip
"""They change nothing, so they answer in any home that can be read."""
AWAY = HOMELESS | {"alerts test", "demo", "settings", "doctor", "backup", "service"}
"""They need no home, say what is wrong with it, or write elsewhere."""
SLOW = {"train", "rehearse", "demo"}
"""They work for seconds before they answer."""
QUICK = READ | {"settings", "dataset", "featurize", "models promote", "report card"}
"""Enough where what counts is how an answer is written."""


@pytest.fixture(scope="module")
def home(full_home):
    return full_home


@pytest.fixture
def mount(tmp_path):
    """Mount a small file system of memory: the folder."""
    mounted = []

    def small(name, options):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
        if os.geteuid() or subprocess.run(words, check=False, capture_output=True).returncode:
            pytest.skip("only root can mount a small disk here")
        mounted.append(folder)
        return folder

    yield small
    for folder in mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_where_nothing_compiled_can_be_kept_a_warning_says_so_and_the_verb_runs(
    home, inputs, tmp_path
):
    """Neither in the package nor in the cache: each start compiles, and what is for that goes.

    `featurize` has nothing to do here: Numba refuses when a function is declared, not when it runs.
    """
    package = tmp_path / "package" / "barograph"
    shutil.copytree(
        Path(barograph.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    (package / "__pycache__").touch()  # a file, where root may write anything
    words = words_of("featurize", shutil.copytree(home, tmp_path / "home"), inputs)
    done = subprocess.run(
        [sys.executable, "-c", "from barograph.app.cli import main; main()", *words],
        capture_output=True,
        check=False,
        text=True,
        env={
            "PATH": os.environ["PATH"], "PYTHONPATH": str(package.parent), "TMPDIR": str(tmp_path),
            "XDG_CACHE_HOME": "/dev/null", "PYTHONDONTWRITEBYTECODE": "1",
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert done.stderr.count("\n") == 1
    assert "XDG_CACHE_HOME" in done.stderr
    assert not list(tmp_path.glob("barograph-compiled-*"))


def test_every_verb_has_its_words_here():
    assert verbs() == sorted(WORDS)


def assert_refused(done, *words):
    code, out, err = done
    out, err = out.decode(), err.decode()
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert err.startswith("barograph: ")
    assert err.rstrip().endswith("."), err
    for word in words:
        assert word in err


def assert_served(done):
    code, _, err = done
    assert (code, err.count(b"\n")) == (0, 1), err.decode()
    assert err.startswith(b"barograph: serving at http://127.0.0.1:")


def assert_answered(done):
    code, out, err = done
    assert (code, err) == (0, b""), err.decode()
    assert out


def each(home, inputs, but=(), taken=None, arguments=(), *, of=None, **environment):
    """Every verb in this home, or each of `of`, one after the other, and what it came to."""
    for verb in sorted(of or verbs()):
        if verb not in but:
            words = words_of(verb, home, inputs)
            yield verb, Door(words, taken, *arguments, **environment).end()


def contents(home):
    """What a home has, but for locks and for what says who is there."""
    return {
        path.relative_to(home).as_posix(): path.read_bytes()
        for path in sorted(home.rglob("*"))
        if path.is_file() and not path.name.endswith(("-shm", "-wal", "lock", ".making"))
    }


def fill(folder):
    """Write until there is no room for one byte."""
    with (folder / "filler").open("wb", buffering=0) as filler:
        for size in (1 << 20, 4096, 1):
            with suppress(OSError):
                while filler.write(bytes(size)):
                    pass


def use_up_inodes(folder):
    with suppress(OSError):
        for number in range(1 << 16):
            (folder / f"empty-{number}").touch()


def test_a_home_that_cannot_be_written_is_read(home, inputs, mount):
    place = mount("home", "size=64m")
    shutil.copytree(home, place, dirs_exist_ok=True)
    subprocess.run(["mount", "-o", "remount,ro", place], check=True)
    for verb, done in each(place, inputs, AWAY):
        if verb in READ:
            assert_answered(done)
        elif verb == "serve":
            assert_served(done)
        else:
            assert_refused(done, "Read-only file system")


def test_without_room_what_can_be_read_is_read(home, inputs, mount):
    place = mount("home", "size=40m")
    shutil.copytree(home, place, dirs_exist_ok=True)
    fill(place)
    before = contents(place)
    for verb, done in each(place, inputs, AWAY):
        if verb in READ:
            assert_answered(done)
        elif verb == "serve":
            assert_served(done)
        else:
            assert_refused(done, "No space left on device", "Free at least", f"{place}")
    assert contents(place) == before


def test_without_inodes_what_can_be_read_is_read(home, inputs, mount):
    place = mount("home", "size=40m,nr_inodes=300")
    shutil.copytree(home, place, dirs_exist_ok=True)
    use_up_inodes(place)
    before = contents(place)
    for verb, done in each(place, inputs, AWAY):
        if verb in READ:
            assert_answered(done)
        elif verb == "serve":
            assert_served(done)
        else:
            assert_refused(done, "no inodes are left", "Remove some files")
    assert contents(place) == before


def test_doctor_names_a_disk_that_takes_nothing_and_changes_nothing(home, inputs, mount):
    place = mount("home", "size=40m")
    shutil.copytree(home, place, dirs_exist_ok=True)
    fill(place)
    before = contents(place)
    code, out, _ = Door(words_of("doctor", place, inputs)).end()
    assert (code, contents(place)) == (1, before)
    assert "Free at least" in out.decode()
    subprocess.run(["mount", "-o", "remount,ro", place], check=True)
    code, out, _ = Door(words_of("doctor", place, inputs)).end()
    assert (code, "Read-only file system" in out.decode()) == (1, True)


def become_nobody():
    nobody = pwd.getpwnam("nobody")
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another")
@pytest.mark.skipif(
    not all(place.stat().st_mode & 0o001 for place in Path(os.__file__).resolve().parents),
    reason="nobody but root may read where this Python lies",
)
def test_another_ones_home_is_read(home, inputs):
    """As nobody, who may read it and has no home of his own."""
    with tempfile.TemporaryDirectory(prefix="anothers-") as folder:
        Path(folder).chmod(0o755)
        for each_of in (home, inputs):
            shutil.copytree(each_of, Path(folder, each_of.name))
        places = Path(folder, home.name), Path(folder, inputs.name)
        for place in places:
            place.chmod(0o755)
        for verb, done in each(*places, AWAY, become_nobody, HOME="/nonexistent"):
            if verb in READ:
                assert_answered(done)
            else:
                assert_refused(done, "Permission denied")


def close(number):
    os.close(number)


def write_to(number):
    """Let standard output be this descriptor."""
    os.dup2(number, 1)
    sys.stdout = os.fdopen(1, "w", closefd=False)


def redirect(path):
    write_to(os.open(path, os.O_WRONLY))


def test_with_standard_output_closed_no_verb_begins(home, inputs):
    before = contents(home)
    for _, done in each(home, inputs, (), close, (1,)):
        assert_refused(done, "standard output: it is closed", ">/dev/null")
    assert contents(home) == before


def test_an_answer_that_cannot_be_written_is_reported(home, inputs, tmp_path):
    place = shutil.copytree(home, tmp_path / "home")
    for verb, done in each(place, inputs, (), redirect, ("/dev/full",), of=QUICK):
        warned = done[2].splitlines(keepends=True)
        assert_refused((*done[:2], warned[-1]), "standard output", "the work itself is done"), verb


def into_a_pipe_that_nobody_reads():
    reader, writer = os.pipe()
    os.close(reader)
    write_to(writer)


def test_who_reads_no_further_is_no_error(home, inputs, tmp_path):
    place = shutil.copytree(home, tmp_path / "home")
    for verb in ("check", "models promote", "report card", "dataset", "deadletters show"):
        code, _, err = Door(words_of(verb, place, inputs), into_a_pipe_that_nobody_reads).end()
        assert code == 0, (verb, err)
        assert b"Traceback" not in err


def test_with_standard_error_closed_the_answer_is_the_same(home, inputs):
    for verb in ("archive list", "topics list", "models list"):
        words = words_of(verb, home, inputs)
        assert Door(words, close, 2).end()[:2] == Door(words).end()[:2]


def with_little_of(what, limit):
    resource.setrlimit(what, (limit, limit))


def test_with_few_handles_the_line_says_how_to_allow_more(home, inputs, tmp_path):
    place = shutil.copytree(home, tmp_path / "home")
    refused = 0
    for handles, those in ((8, set(verbs()) - SLOW - {"simulate", "up"}), (16, QUICK | {"score"})):
        limit = (resource.RLIMIT_NOFILE, handles)
        for _, done in each(place, inputs, (), with_little_of, limit, of=those):
            assert b"Traceback" not in done[2], done[2].decode()
            if done[0]:
                refused += 1
                assert_refused((*done[:2], done[2].splitlines(keepends=True)[-1]))
    assert refused > 15


def take_memory(spare_bytes):
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    with_little_of(resource.RLIMIT_AS, pages * resource.getpagesize() + spare_bytes)


def test_with_little_memory_the_line_says_so(home, inputs, tmp_path):
    place = shutil.copytree(home, tmp_path / "home")
    for verb in ("report card", "models show", "score"):
        done = Door(words_of(verb, place, inputs), take_memory, 20 << 20).end()
        assert_refused(done, "memory")


def speak_ascii():
    for number, name in ((1, "stdout"), (2, "stderr")):
        setattr(sys, name, os.fdopen(number, "w", encoding="ascii", closefd=False))


def test_a_terminal_of_ascii_gets_ascii(home, inputs, tmp_path):
    place = shutil.copytree(home, tmp_path / "home")
    for verb, (code, out, err) in each(place, inputs, (), speak_ascii, of=QUICK):
        assert (code, b"Traceback" in err) == (0, False), (verb, err)
        assert (out + err).isascii()
        assert rb"\u" not in out + err, (verb, out)


@pytest.mark.parametrize("verb", ["models list", "archive list", "topics list"])
def test_json_is_the_same_on_any_terminal(home, inputs, verb):
    words = words_of(verb, home, inputs, "--json")
    assert Door(words, speak_ascii).answer() == Door(words).answer()


def test_a_home_that_is_a_file_is_refused(inputs, tmp_path):
    place = tmp_path / "file"
    place.write_text("x")
    for _, done in each(place, inputs, AWAY):
        assert_refused(done)
    assert place.read_text() == "x"


def test_a_home_without_a_name_is_refused(inputs, tmp_path, monkeypatch):
    """`--home "$NOT_SET"` is a slip, and the working directory is nobody's home."""
    monkeypatch.chdir(tmp_path)
    for verb, done in each("", inputs, HOMELESS):
        assert_refused(done, "empty"), verb
    for verb in ("topics create", "replay"):
        assert_refused(Door(words_of(verb, None, inputs), BAROGRAPH_HOME="").end(), "empty")
        assert_refused(Door(words_of(verb, None, inputs, "--log", "")).end(), "empty")
    assert list(tmp_path.iterdir()) == []


def test_there_is_no_room_and_then_there_is(home, inputs, mount):
    """The cure works: as much room as the line says, and the same command does it."""
    place = mount("home", "size=40m")
    shutil.copytree(home, place, dirs_exist_ok=True)
    fill(place)
    verbs_that_write = (
        "dataset", "archive compact", "archive push", "models promote", "report card",
    )  # fmt: skip
    for verb in verbs_that_write:
        assert_refused(Door(words_of(verb, place, inputs)).end(), "Free at least 67 MB there")
    with pytest.raises(BarographError):
        check_room(place, 1)
    subprocess.run(["mount", "-o", "remount,size=107m", place], check=True)
    for verb in verbs_that_write:
        assert Door(words_of(verb, place, inputs)).end()[0] == 0, verb


def test_where_no_cache_can_be_kept_no_library_prints_a_warning(home, inputs, tmp_path):
    """ONNX Runtime complained that it could not keep by what it tells its maker of this machine."""
    place = shutil.copytree(home, tmp_path / "home")
    assert_answered(Door(words_of("models promote", place, inputs), HOME="/proc/none").end())
