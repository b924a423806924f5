"""The stages of tests/run in their order, with what each needs and how long it may take.

Budgets are for two cores. CI runs every stage but those marked `full`; together they stay within an
hour. A stage over its budget is shown as such; a program
over its time limit fails.
"""

import json
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.runner.program import Program
from tests.runner.sources import c_cases, python_cases

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ["/usr/bin/python3", "-B"]
TIDY_FOLDERS = ["ha", "node", "raft", "storage", "tools", "xmpp"]
FUZZ_SECONDS = 12
FUZZ_SECONDS_LONG = 300
FUZZ_CRASHED = 77  # -error_exitcode of libFuzzer
FUZZ_GOAL = "no input crashes the decoder"
PLANTED_GOAL = "a decoder without one of its checks crashes soon"
PLANTED = re.compile(r"^muster_fuzz_planted\((\w+)", re.MULTILINE)
KILLS = {"gcc": 30, "asan": 6, "tsan": 6}
KILLS_LONG = 200
CUTS_LONG = 51
OUTAGES_LONG = 100
SEEDS_LONG = 10000
MOMENTS_LONG = 2000


@dataclass
class Options:
    """What the command line decides for all stages."""

    build_root: Path
    full: bool
    jobs: int


@dataclass
class Stage:
    """A step of the run; its programs are asked for when the stages it needs are done."""

    name: str
    goal: str
    budget_s: int
    programs: Callable[[Options], list[Program]]
    needs: list[str] = field(default_factory=list)
    full: bool = False
    parallel: bool = False


# What each build is for: the arguments of CMake, and what its programs need in the environment.
BUILDS = {
    "gcc": ["-DCMAKE_C_COMPILER=gcc"],
    "asan": ["-DCMAKE_C_COMPILER=clang", "-DSANITIZE=address", "-DFUZZ=ON"],
    "tsan": ["-DCMAKE_C_COMPILER=gcc", "-DSANITIZE=thread"],
    "next": ["-DCMAKE_C_COMPILER=gcc", "-DNEXT_VERSION=ON"],
}
# What tests/upgrade needs of the next program.
NEXT_TARGETS = ["musterd", "musterctl", "muster-inspect"]
_SUPPRESSIONS = ROOT / "tests" / "lib" / "suppressions"
SANITIZER_ENV = {
    "asan": {
        "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        "LSAN_OPTIONS": f"suppressions={_SUPPRESSIONS}/lsan.txt:print_suppressions=0",
    },
    "tsan": {
        "TSAN_OPTIONS": f"suppressions={_SUPPRESSIONS}/tsan.txt:halt_on_error=1:exitcode=99"
                        ":second_deadlock_stack=1",
    },
}


def build_dir(options: Options, build: str) -> Path:
    """Where a build lives."""
    return options.build_root / build


def build_env(options: Options, build: str) -> dict[str, str]:
    """Tells the Python tests which programs to test, and the sanitizers how to behave."""
    return {"MUSTER_BIN": str(build_dir(options, build) / "bin"),
            "MUSTER_NEXT_BIN": str(build_dir(options, "next") / "bin"),
            "MUSTER_KILLS": str(KILLS.get(build, KILLS["gcc"])),
            **SANITIZER_ENV.get(build, {})}


def _launcher(build: str) -> list[str]:
    """TSan of gcc 12 cannot place its shadow under the address randomisation of new kernels."""
    return ["setarch", "-R"] if build == "tsan" else []


def _build(build: str, *targets: str) -> Callable[[Options], list[Program]]:
    def programs(options: Options) -> list[Program]:
        folder = build_dir(options, build)
        configure = ["cmake", "-G", "Ninja", "-S", str(ROOT), "-B", str(folder), *BUILDS[build]]
        compile_all = ["ninja", "--quiet", "-C", str(folder), "-j", str(options.jobs),
                       *targets]
        return [
            Program(f"configure-{build}", "CMake finds all it needs", configure, 60, ROOT),
            Program(f"build-{build}", f"{'what is needed' if targets else 'everything'} builds "
                    "without a warning", compile_all, 900, ROOT),
        ]
    return programs


def ctest_programs(options: Options, build: str, label: str) -> list[Program]:
    """The tests that CMake knows in a build and that carry the label."""
    answer = subprocess.run(
        ["ctest", "--show-only=json-v1", "-L", f"^{label}$"], cwd=build_dir(options, build),
        capture_output=True, check=True, text=True)
    programs = []
    for test in json.loads(answer.stdout)["tests"]:
        properties = {item["name"]: item["value"] for item in test.get("properties", [])}
        if "command" not in test:
            continue  # its program was not built; the build stage has failed for that
        programs.append(Program(
            test["name"], "", _launcher(build) + test["command"],
            float(properties.get("TIMEOUT", 120)),
            Path(properties.get("WORKING_DIRECTORY", ROOT)), env=build_env(options, build)))
    return programs


def _ctest(build: str, label: str) -> Callable[[Options], list[Program]]:
    return lambda options: ctest_programs(options, build, label)


def _fuzz(seconds: int) -> Callable[[Options], list[Program]]:
    """Each libFuzzer target for a bounded time, and those that have to crash within it."""
    def programs(options: Options) -> list[Program]:
        build = build_dir(options, "asan")
        return [make(target, build / "fuzz" / target.name, seconds)
                for pattern, make in (("fuzz_*", _fuzz_program), ("planted_*", _planted_program))
                for target in sorted((build / "bin").glob(pattern))]
    return programs


def _fuzz_program(target: Path, found: Path, seconds: int) -> Program:
    """It starts from the committed corpus, which is only read; new inputs go to a folder."""
    return Program(target.name, FUZZ_GOAL, _fuzz_command(target, found, seconds), seconds + 60,
                   found, env=SANITIZER_ENV["asan"])


def _planted_program(target: Path, found: Path, seconds: int) -> Program:
    """The same for a decoder with a fault: the test is that libFuzzer ends as for a crash."""
    command = ["sh", "-c", f'"$@"; test $? -eq {FUZZ_CRASHED}', "sh",
               *_fuzz_command(target, found, seconds), "-exact_artifact_path=/dev/null"]
    return Program(target.name, PLANTED_GOAL, command, seconds + 60, found,
                   env=SANITIZER_ENV["asan"])


def _fuzz_command(target: Path, found: Path, seconds: int) -> list[str]:
    corpus = ROOT / "tests" / "fuzz" / "corpus" / target.name.split("_", 1)[1]
    found.mkdir(parents=True, exist_ok=True)
    return [str(target), f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=1024",
            str(found), str(corpus)]


def _python(folder: str, build: str, timeout_s: float, files: str = "test_*.py",
            env: dict[str, str] | None = None) -> Callable[[Options], list[Program]]:
    """The test files of a folder below tests/, each a program, against the programs of a build."""
    def programs(options: Options) -> list[Program]:
        return [Program(f"{folder}/{file.stem}", "",
                        [*_launcher(build), *PYTHON, "-m", "tests.lib.tap", str(file)],
                        timeout_s, ROOT, python_cases(file),
                        {**build_env(options, build), **(env or {})})
                for file in sorted((ROOT / "tests" / folder).glob(files))]
    return programs


def _tidy(options: Options) -> list[Program]:
    """The C files of each folder under clang-tidy, with the flags that the gcc build has.

    One process a file: clang-tidy 14 takes va_start for nothing from its second file on.
    """
    script = 'for file; do clang-tidy --quiet -p "$0" "$file" || bad=1; done; exit ${bad:-0}'
    folders: dict[str, list[str]] = {}
    for top in TIDY_FOLDERS:
        for file in sorted((ROOT / top).rglob("*.c")):
            folders.setdefault(str(file.parent.relative_to(ROOT)), []).append(str(file))
    return [Program(f"tidy/{folder}", "", ["sh", "-c", script, str(build_dir(options, "gcc")),
                                           *paths], 600, ROOT)
            for folder, paths in folders.items()]


def _valgrind(options: Options) -> list[Program]:
    """One end-to-end run with every node under valgrind."""
    env = {**build_env(options, "gcc"), "MUSTER_LAUNCHER": " ".join([
        "valgrind", "-q", "--vgdb=no", "--undef-value-errors=no", "--leak-check=full",
        "--show-leak-kinds=definite,indirect",
        "--errors-for-leak-kinds=definite,indirect", "--error-exitcode=99"])}
    file = ROOT / "tests" / "interop" / "test_chat.py"
    command = [*PYTHON, "-m", "tests.lib.tap", str(file)]
    return [Program("valgrind/test_chat", "no definite or indirect loss after a graceful stop",
                    command, 900, ROOT, env=env)]


STAGES = [
    Stage("lint", "the rules of the house hold, and each check can fail", 60,
          _python("lint", "gcc", 120), parallel=True),
    Stage("harness", "the tools of the tests: client, judge, runner", 60,
          _python("lib", "gcc", 120), parallel=True),
    Stage("build-gcc", "gcc builds everything", 240, _build("gcc")),
    Stage("build-asan", "clang builds everything, with ASan, UBSan and the fuzz targets", 300,
          _build("asan")),
    Stage("unit", "the parts by themselves", 120, _ctest("gcc", "unit"), ["build-gcc"],
          parallel=True),
    Stage("tidy", "clang-tidy finds no bug", 180, _tidy, ["build-gcc"], parallel=True),
    Stage("interop", "real clients against a real cluster", 240, _python("interop", "gcc", 300),
          ["build-gcc"],
          parallel=True),
    Stage("operator", "musterctl and musterd as an operator uses them", 150,
          _python("operator", "gcc", 200), ["build-gcc"],
          parallel=True),
    Stage("migrate", "backups and restores, users from other servers and to them", 120,
          _python("migrate", "gcc", 300), ["build-gcc"],
          parallel=True),
    Stage("sim", "clusters on virtual time, with faults as seeds draw them", 400,
          _python("sim", "gcc", 900), ["build-gcc"]),
    Stage("hostile", "broken and hostile input on every port", 240, _python("hostile", "gcc", 300),
          ["build-gcc"]),
    Stage("kill", "nodes killed or cut off at random moments while clients chat", 300,
          _python("kill", "gcc", 600), ["build-gcc"],
          parallel=True),
    Stage("ha", "redundancy groups whose nodes are taken away, moved, and come back", 240,
          _python("ha", "gcc", 600), ["build-gcc"],
          parallel=True),
    Stage("endurance", "what a cluster takes levels off; who was away catches up", 300,
          _python("endurance", "gcc", 600), ["build-gcc"]),
    Stage("build-next", "gcc builds the program after this one", 120,
          _build("next", *NEXT_TARGETS)),
    Stage("upgrade", "node by node to the next program and back; an older one is refused", 120,
          _python("upgrade", "gcc", 400), ["build-gcc", "build-next"]),
    Stage("chaos", "every kind of fault on real processes, and a judge of what clients saw", 300,
          _python("chaos", "gcc", 600), ["build-gcc"]),
    Stage("crash", "power cuts at any moment, and bits that flip on a disk", 240,
          _python("crash", "gcc", 600), ["build-gcc"],
          parallel=True),
    Stage("fuzz", "decoders under libFuzzer", 180, _fuzz(FUZZ_SECONDS), ["build-asan"],
          parallel=True),
    Stage("unit-asan", "the parts under ASan and UBSan", 180, _ctest("asan", "unit"),
          ["build-asan"], parallel=True),
    Stage("kill-asan", "killed nodes under ASan and UBSan", 300, _python("kill", "asan", 600),
          ["build-asan"]),
    Stage("hostile-asan", "bad input to nodes under ASan and UBSan", 240,
          _python("hostile", "asan", 240), ["build-asan"],
          parallel=True),
    Stage("operator-asan", "an operator's commands, nodes under ASan and UBSan", 180,
          _python("operator", "asan", 300), ["build-asan"],
          parallel=True),
    Stage("build-tsan", "gcc builds everything with TSan", 240, _build("tsan")),
    Stage("unit-tsan", "the parts under TSan", 240, _ctest("tsan", "unit"), ["build-tsan"],
          parallel=True),
    Stage("kill-tsan", "killed nodes under TSan", 360, _python("kill", "tsan", 600),
          ["build-tsan"]),
    Stage("scenarios", "what XMPP documents say, word by word, also while nodes die", 300,
          _python("interop", "gcc", 900, "play_*.py"), ["build-gcc"], full=True),
    Stage("interop-asan", "real clients, nodes under ASan and UBSan", 600,
          _python("interop", "asan", 900), ["build-asan"], full=True),
    Stage("interop-tsan", "real clients, nodes under TSan", 900,
          _python("interop", "tsan", 900), ["build-tsan"], full=True),
    Stage("hostile-tsan", "bad input to nodes under TSan", 600, _python("hostile", "tsan", 600),
          ["build-tsan"], full=True),
    Stage("valgrind", "a graceful stop under valgrind loses no memory", 600, _valgrind,
          ["build-gcc"], full=True),
    Stage("cuts-long", "many cuts, and nodes that stand still for half a minute", 900,
          _python("kill", "gcc", 1800, "test_partition.py",
                  {"MUSTER_CUTS": str(CUTS_LONG), "MUSTER_HANG_S": "30"}),
          ["build-gcc"], full=True),
    Stage("crash-long", "many moments at which the power is cut", 1800,
          _python("crash", "gcc", 3600, "test_images.py",
                  {"MUSTER_MOMENTS": str(MOMENTS_LONG), "MUSTER_STARTS": "20",
                   "MUSTER_LOAD_S": "10", "MUSTER_CRASH_DISK": "1"}),
          ["build-gcc"], full=True),
    Stage("power-long", "power lost and back in every order", 600,
          _python("ha", "gcc", 1200, "test_power.py", {"MUSTER_POWER_ORDERS": "36"}),
          ["build-gcc"], full=True),
    Stage("many-long", "a node with two thousand sessions fails over and back", 900,
          _python("ha", "gcc", 1200, "test_many.py", {"MUSTER_SESSIONS": "2000"}),
          ["build-gcc"], full=True),
    Stage("outage-long", "all nodes killed at once, a hundred times", 600,
          _python("kill", "gcc", 1200, "test_outage.py", {"MUSTER_OUTAGES": str(OUTAGES_LONG)}),
          ["build-gcc"], full=True),
    Stage("sim-long", "many seeds", 2400,
          _python("sim", "gcc", 4000, env={"MUSTER_SIM_SEEDS": str(SEEDS_LONG)}),
          ["build-gcc"], full=True),
    Stage("kill-long", "many kills", 600,
          _python("kill", "gcc", 1200, "test_kill.py", {"MUSTER_KILLS": str(KILLS_LONG)}),
          ["build-gcc"], full=True),
    Stage("endurance-long", "load, growth and cut copies for longer", 960,
          _python("endurance", "gcc", 1500, env={
              "MUSTER_SOAK_MINUTES": "8", "MUSTER_GROWTH_MINUTES": "2", "MUSTER_COPY_CUTS": "24"}),
          ["build-gcc"], full=True),
    Stage("leaks", "a soak finds what nodes lose and clients leave", 360,
          _python("endurance", "gcc", 600, "planted_*.py"), ["build-gcc"], full=True),
    Stage("fuzz-long", "decoders under libFuzzer, for longer", 1500, _fuzz(FUZZ_SECONDS_LONG),
          ["build-asan"], full=True, parallel=True),
]


def listed_programs(stage: Stage, options: Options) -> list[Program]:
    """What --list shows of a stage: from the sources, without a build."""
    if stage.name.startswith("unit"):
        programs = []
        for source in sorted((ROOT / "tests" / "unit").rglob("test_*.c")):
            folder = source.parent.relative_to(ROOT / "tests" / "unit")
            name = "unit_" + "_".join([*folder.parts, source.stem])
            programs.append(Program(name, "", [], 0, ROOT, c_cases(source)))
        if stage.name != "unit-asan":  # there they are libFuzzer's
            programs += [Program(source.stem.replace("fuzz_", "corpus_"),
                                 "no input of its corpus crashes the decoder", [], 0, ROOT)
                         for source in sorted((ROOT / "tests" / "fuzz").glob("fuzz_*.c"))]
        return programs
    if stage.name.startswith("fuzz"):
        folder = ROOT / "tests" / "fuzz"
        planted = PLANTED.findall((folder / "CMakeLists.txt").read_text())
        return [*(Program(source.stem, FUZZ_GOAL, [], 0, ROOT)
                  for source in sorted(folder.glob("fuzz_*.c"))),
                *(Program(f"planted_{name}", PLANTED_GOAL, [], 0, ROOT) for name in planted)]
    return stage.programs(options)


def default_jobs() -> int:
    """One compiler a core."""
    return os.cpu_count() or 1
