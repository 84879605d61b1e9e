"""Configurations and files broken from valid ones; to each of them a command has one message and exit code 2."""

import io
import json
import os
import pickle
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slam_ray.cli import main
from slam_ray.config import RunConfig, known_keys
from tests.models import tiny_llama
from tests.published import FIXTURES

Rows = list[dict[str, Any]]
LANGUAGES = ("en", "sw", "th")
KEYS = sorted(key for key, _ in known_keys())
SOURCES = {"questions": "questions", "pairs": "pairs", "benchmark": "benchmarks.own"}
FILES: dict[str, Rows] = {
    "questions": [
        {"id": f"q{place}", "language": code, "question": f"{code} has {place} pens and {place} cups?"}
        for code in LANGUAGES
        for place in range(3)
    ],
    "pairs": [
        {"id": f"q{place}", "language": code, "kind": "question", "source": f"{code} {place}", "english": f"en {place}"}
        for code in LANGUAGES[1:]
        for place in range(3)
    ],
    "benchmark": [
        {"id": f"t{place}", "language": code, "question": f"{code} sells {place} hats?", "answer": place}
        for code in LANGUAGES
        for place in range(3)
    ],
}
RESPONSES: Rows = [{"response": f"It is {place}.", "answer": place} for place in range(4)]
ACTIVATED = np.array([[[9, 7, 2], [8, 8, 8], [9, 9, 1]], [[1, 0, 7], [9, 3, 0], [8, 8, 8]]])
COUNTS: dict[str, Any] = {"languages": np.array(["en", "sw"]), "activated": ACTIVATED, "tokens": np.array([10, 10])}
# Published layouts: the folder of the fixture, the key that takes it, its split, and the files that are then read.
LAYOUTS = {
    "gsm8k": ("gsm8k", "benchmarks.own", "test", "test.jsonl"),
    "mgsm": ("mgsm", "benchmarks.own", None, "*.tsv"),
    "msvamp": ("msvamp", "benchmarks.own", None, "*.json"),
    "xcsqa": ("xcsqa", "benchmarks.own", "validation", "*/*/dev.jsonl"),
    "mgsm8kinstruct": ("mgsm8kinstruct", "questions", None, "*.json"),
    "flores": ("parallel", "questions", None, "dev/[es]*.dev"),
    "ntrex": ("parallel", "questions", None, "*.txt"),
    "qalign": ("qalign", "questions", None, "*/*/sw-en/train.*"),
}


class Marked:
    """Makes the folder `marker` when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.makedirs, (str(self.marker),)


def valid_inputs(folder: Path) -> Path:
    """A folder with a checkpoint, corpora and `run.yaml`, which reads them."""
    tiny_llama(folder / "model", layers=2)
    for name, rows in FILES.items():
        (folder / f"{name}.jsonl").write_bytes(json_lines(rows))
    choosing = [
        {**row, "id": f"c{row['id']}", "question": f"{row['question']} And then?"} for row in FILES["benchmark"]
    ]
    (folder / "choosing.jsonl").write_bytes(json_lines(choosing))
    (folder / "run.yaml").write_text(yaml.safe_dump(configuration(folder)))
    (folder / "loop").symlink_to(folder / "loop")
    return folder


def configuration(folder: Path) -> dict[str, Any]:
    return {
        "storage": str(folder / "storage"),
        "model": {"path": str(folder / "model"), "dtype": "float32"},
        "corpora": {
            "questions": str(folder / "questions.jsonl"),
            "pairs": str(folder / "pairs.jsonl"),
            "benchmarks": {"own": str(folder / "benchmark.jsonl")},
            "cleaning": {"wrong_script": False},
        },
        "training": {"epochs": 1},
        "search": {
            "space": {"training.epochs": {"grid": [1, 2]}},
            "trials": 3,
            "problems": str(folder / "choosing.jsonl"),
        },
    }


class Tally:
    """Calls commands and counts how they end, by kind of input and exit code."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys, self.codes = capsys, Counter[tuple[str, int]]()

    def __call__(
        self,
        kind: str,
        command: str,
        *argv: str,
        refused: bool = False,
        named: Sequence[str] = ("",),
    ) -> None:
        """Run `slam-ray COMMAND ARGV`.

        Args:
            kind: what the input is.
            command: its name.
            argv: its arguments.
            refused: whether exit code 2 is the only right one; else what was changed may still be valid.
            named: a message has to hold one of these.
        """
        code = main([command, *argv])
        said = self._capsys.readouterr()
        self.codes[kind, code] += 1
        assert code in ((2,) if refused else (0, 2, 3)), (argv, said)
        assert "Traceback" not in said.err + said.out
        if code == 2:
            assert said.err.count("error: ") == 1, said
            message = said.err.partition("error: ")[2].rstrip("\n")
            assert 10 < len(message) < 2000, message
            assert all(each.isprintable() or each == "\n" for each in message), message
            assert any(part in message for part in named), (named, message)

    @property
    def refused(self) -> int:
        """How many inputs were refused."""
        return sum(number for (_, code), number in self.codes.items() if code == 2)

    def __str__(self) -> str:
        kinds = sorted({kind for kind, _ in self.codes})
        shares = (f"{kind} {self.codes[kind, 2]}/{sum(self.codes[kind, code] for code in (0, 2, 3))}" for kind in kinds)
        return f"{self.refused} of {self.codes.total()} refused ({', '.join(shares)})"


def thorough(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


# What no key takes, or one only by chance.
WRONG = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=12),
    st.lists(st.one_of(st.none(), st.integers(), st.text(max_size=5)), max_size=3),
    st.dictionaries(st.text(max_size=6), st.integers(), max_size=2),
)
LAUGHS = ("1, 1, 1, 1, 1, 1", *(", ".join([f"*{name}"] * 9) for name in "abcdefg"))  # each nine times the one before
# YAML that PyYAML reads wrongly or not at all, that never ends, or that is no value of any key.
NO_YAML = (
    *("2001-02-30", "2001-01-01T00:00:00+99:99", "0b_", "0x_", "1" * 5000, "0x" + "f" * 5000, "!!bool x", "!!int ''"),
    *("!!int x", "!!float x", "!!timestamp x", "!!binary ä", "!!python/object:os.system x", "!no x", "*none", "<<: 3"),
    *("&a [*a]", "&a {x: *a}", "{? [a] : b}", "a: b: c", "[" * 300 + "]" * 300, "[" * 5000, "'", '"\\ud800', "\x00"),
    "[" + ", ".join(f"&{name} [{items}]" for name, items in zip("abcdefgh", LAUGHS, strict=True)),
)  # fmt: skip
NO_PATH = ("a\0b", "~nobody-of-this-name/x", "x" * 5000, "/".join(["y"] * 3000), "\udcff", "loop", "file/inside")
NO_NAME = ("../x", "a/b", "a\0", "", "..", ".hidden", "x" * 300, "(x", "a\nb", "\u202e", "<script>", "a b")
ODD_SPLIT = ("(", "[a", "x{2}")  # patterns to who takes them for such
NO_SPLIT = ("../../x", "/etc/passwd", "..", "a\0", "x" * 400, "a\\b", "")
PATHS = ("storage", "model.path", "corpora.questions", "corpora.pairs", "corpora.benchmarks.own", "corpora.english")


class Broken(NamedTuple):
    """A configuration that is broken somewhere: its file's content, options beside it, whether it is surely invalid."""

    content: bytes
    options: tuple[str, ...] = ()
    refused: bool = True
    command: str | None = None  # the only one that minds it


def wrong_value(folder: Path, data: st.DataObject) -> Broken:
    return Broken(changed(folder, draw(data, KEYS), data.draw(WRONG)), refused=False)


def unknown_key(folder: Path, data: st.DataObject) -> Broken:
    return Broken(changed(folder, draw(data, KEYS) + data.draw(st.text("abc_x", min_size=1, max_size=4)), 1))


def missing_section(folder: Path, data: st.DataObject) -> Broken:
    return Broken(changed(folder, draw(data, ("model", "corpora")), draw(data, (None, {}, [], "x", 3))))


def other_bytes(folder: Path, data: st.DataObject) -> Broken:
    return Broken(mutated((folder / "run.yaml").read_bytes(), data), refused=False)


def no_yaml(folder: Path, data: st.DataObject) -> Broken:
    text, valid = draw(data, NO_YAML), (folder / "run.yaml").read_bytes()
    if data.draw(st.booleans()):
        return Broken(valid, (f"--{draw(data, KEYS)}", f"[{text}"))
    return Broken(valid + f"\nlimit: {text}\n".encode())


def no_path(folder: Path, data: st.DataObject) -> Broken:
    text = draw(data, NO_PATH).replace("loop", f"{folder}/loop").replace("file/", f"{folder}/run.yaml/")
    return Broken((folder / "run.yaml").read_bytes(), (f"--{draw(data, PATHS)}", text))


def no_name(folder: Path, data: st.DataObject) -> Broken:
    key, value = draw(data, (("name", draw(data, NO_NAME)), ("corpora.benchmarks", {draw(data, NO_NAME): "x"})))
    return Broken(changed(folder, key, value))


def no_split(folder: Path, data: st.DataObject) -> Broken:
    layout, split = draw(data, sorted({*LAYOUTS} - {"mgsm"})), draw(data, NO_SPLIT + ODD_SPLIT)  # mgsm knows one split
    source = {"path": str(FIXTURES / layout), "format": LAYOUTS[layout][0], "split": split}
    return Broken(changed(folder, "corpora.benchmarks.own", source))


def wrong_option(folder: Path, data: st.DataObject) -> Broken:
    text = data.draw(st.text(max_size=10))
    return Broken((folder / "run.yaml").read_bytes(), (f"--{draw(data, KEYS)}", text), refused=False)


def wrong_space(folder: Path, data: st.DataObject) -> Broken:
    key, kind = draw(data, (*KEYS, "x", "training.")), draw(data, ("grid", "choice", "uniform", "x"))
    space = {key: {kind: data.draw(WRONG)}}
    return Broken(changed(folder, "search.space", space), refused=False, command="search")


BREAKS = (wrong_value, unknown_key, missing_section, other_bytes, no_yaml, no_path, no_name, no_split, wrong_option)


def throw_configurations(examples: int, folder: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> Tally:
    """Throw broken configurations and command lines at the commands.

    Args:
        examples: how many.
        folder: of `valid_inputs`.
        place: where the broken ones are written.
        capsys: of the test.
    """
    tally, file = Tally(capsys), place / "broken.yaml"
    commands = ("run", "search")
    for command in commands:
        tally("valid", command, str(folder / "run.yaml"), "--dry-run")
    assert tally.codes == {("valid", 3): 2}, "the valid one has to be planned"

    @thorough(examples)
    @given(st.data())
    def broken(data: st.DataObject) -> None:
        how = draw(data, (*BREAKS, wrong_space, None))
        if how is not None:
            case = how(folder, data)
            file.write_bytes(case.content)
            named = (str(file), "language", *case.options[:1], *RunConfig.model_fields)
            command, argv = case.command or draw(data, commands), (str(file), "--dry-run", *case.options)
            tally(how.__name__, command, *argv, refused=case.refused, named=named)
            return
        words = st.one_of(
            st.text(max_size=8), st.sampled_from(("--dry-run", "--name", "x" * 5000 + ".yaml", "~x.yaml"))
        )
        argv = tuple(word for word in data.draw(st.lists(words)) if word not in ("-h", "--help"))
        tally("command line", draw(data, (*commands, "evaluate")), *argv, "--dry-run", refused=True)

    broken()
    return tally


def throw_data_files(examples: int, folder: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> Tally:
    """Throw broken corpora, responses, counts, published layouts and checkpoints; arguments as above."""
    tally, marker = Tally(capsys), place / "unpickled"
    run_yaml = str(folder / "run.yaml")
    # All that is thrown at the key of a published layout; its languages and texts are few.
    cleaning = dict.fromkeys(("untranslated", "wrong_script", "length_ratio", "loops", "lost_numbers"), False)
    for layout in LAYOUTS:
        throw_layout(tally, folder, place, layout, FIXTURES / layout, cleaning)
    assert {code for _, code in tally.codes} == {3}, "the valid ones have to be planned"

    @thorough(examples)
    @given(st.data())
    def broken(data: st.DataObject) -> None:
        kind = data.draw(st.sampled_from((*FILES, "responses", "counts", "layout", "model")))
        if kind == "counts":
            file = place / "broken.npz"
            certain = break_counts(file, data, marker)
            tally(kind, "select", str(file), refused=certain, named=(str(file), "selection", "layer"))
        elif kind == "layout":
            layout = data.draw(st.sampled_from(sorted(LAYOUTS)))
            copy = fresh(place / layout, FIXTURES / layout)
            file = data.draw(st.sampled_from(sorted(copy.glob(LAYOUTS[layout][3]))))
            certain = break_file(file, data)
            throw_layout(tally, folder, place, layout, copy, cleaning, refused=certain)
        elif kind == "model":
            copy = fresh(place / "model", folder / "model")
            break_model(copy, data, marker)
            options = ("--dry-run", "--model.path", str(copy))
            tally(kind, "run", run_yaml, *options, refused=True, named=("model.path", "model family"))
        else:
            rows = [dict(row) for row in FILES.get(kind, RESPONSES)]
            file, certain = break_table(place, kind, rows, data)
            named = (str(file), f"corpora.{SOURCES.get(kind, '')}")
            if kind == "responses":
                tally(kind, "score", str(file), "--language", "sw", refused=certain, named=named)
            else:
                options = ("--dry-run", f"--corpora.{SOURCES[kind]}", str(file))
                tally(kind, "run", run_yaml, *options, refused=certain, named=named)

    broken()
    assert not marker.exists(), "a pickle was loaded"
    return tally


def throw_layout(
    tally: Tally,
    folder: Path,
    place: Path,
    layout: str,
    data: Path,
    cleaning: Mapping[str, bool],
    refused: bool = False,
) -> None:
    values, file = configuration(folder), place / "layout.yaml"
    format_, key, split, _ = LAYOUTS[layout]
    source = {"path": str(data), "format": format_} | ({"split": split} if split else {})
    put(values, f"corpora.{key}", source)
    if key == "questions":
        put(values, "corpora.pairs", source)
        put(values, "corpora.languages", ["en", "sw"])
    put(values, "corpora.cleaning", dict(cleaning))
    file.write_bytes(dumped(values))
    tally("layout", "run", str(file), "--dry-run", refused=refused, named=(str(data), "corpora."))


def break_table(place: Path, kind: str, rows: Rows, data: st.DataObject) -> tuple[Path, bool]:
    """A broken table of these rows, and whether it cannot be valid."""
    suffix = ".jsonl" if kind == "responses" else data.draw(st.sampled_from((".jsonl", ".csv", ".tsv", ".parquet")))
    how = data.draw(st.sampled_from(("value", "column", "again", "file", "bytes", "bytes")))
    row, key = data.draw(st.sampled_from(rows)), data.draw(st.sampled_from(sorted(rows[0])))
    if how == "value":
        suffix = ".jsonl"
        wrong: list[Any] = [None, [], {"a": 1}, [row[key]], True, [[[[]]]] * 9, "\ud800", " " * 9, "", 0.5]
        if key == "answer":
            wrong[-1] = wrong[-2] = float("nan")
            wrong += [10**400, float("-inf"), "many", "1e999", "z" * 9999]
        elif key in ("response", "question", "source", "english") and kind == "responses":
            wrong = wrong[:6]
        row[key] = data.draw(st.sampled_from(wrong))
        if data.draw(st.integers(0, 3)) == 0:
            del row[key]
    elif how == "column":
        for each in rows:
            each["other"] = each.pop(key)
    elif how == "again" and kind != "responses":
        rows.append(row)
    file = place / f"broken{suffix}"
    clear(file)
    file.write_bytes(table(rows, suffix))
    if how in ("file", "bytes"):
        return file, break_file(file, data)
    return file, how != "again" or kind != "responses"


def break_file(file: Path, data: st.DataObject) -> bool:
    """Break a file that holds texts, a table or JSON; whether it cannot be valid any more."""
    content = file.read_bytes()
    how = data.draw(st.sampled_from(("absent", "empty", "folder", "loop", "encoding", "cut", "bytes", "bytes")))
    if how == "bytes":
        file.write_bytes(mutated(content, data))
        return False
    if how == "cut":
        file.write_bytes(content[: data.draw(st.integers(1, len(content) - 1))])
        return file.suffix == ".parquet"
    if how == "encoding":
        place = data.draw(st.integers(0, len(content)))
        file.write_bytes(content[:place] + b"\xff\xfe\xfa" + content[place:])
        return file.suffix != ".parquet"
    clear(file)
    if how == "empty":
        file.write_bytes(b"")
    elif how == "folder":
        file.mkdir()
    elif how == "loop":
        file.symlink_to(file)
    # One language of a published layout may be left out, so its file may.
    return how == "empty" or file.name.startswith("broken")


def break_counts(file: Path, data: st.DataObject, marker: Path) -> bool:
    """Write a broken counts file; whether it cannot be valid."""
    clear(file)
    arrays = dict(COUNTS)
    np.savez(file, **arrays) if data.draw(st.booleans()) else np.savez_compressed(file, **arrays)
    how = data.draw(st.sampled_from(("flip", "bytes", "cut", "array", "array", "missing", "pickle", "other")))
    content = file.read_bytes()
    if how == "flip":
        flipped = bytearray(content)
        for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
            flipped[place] ^= 1 << data.draw(st.integers(0, 7))
        file.write_bytes(flipped)
    elif how == "bytes":
        file.write_bytes(mutated(content, data))
    elif how == "cut":
        file.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    elif how == "array":
        name, array = data.draw(st.sampled_from(wrong_arrays(marker)))
        np.savez(file, **{**arrays, name: array})
    elif how == "missing":
        del arrays[data.draw(st.sampled_from(sorted(arrays)))]
        np.savez(file, **arrays)
    elif how == "pickle":
        file.write_bytes(pickle.dumps(Marked(marker)))
    else:
        with file.open("wb") as stream:
            np.save(stream, ACTIVATED)
    return how not in ("flip", "bytes")


def wrong_arrays(marker: Path) -> list[tuple[str, Any]]:
    return [
        ("languages", np.array([Marked(marker), "sw"], dtype=object)),
        *(("languages", np.array(codes)) for codes in (["en", "en"], ["en", ""], ["en", "\ud800"], ["sw", "th"], "en")),
        *(("languages", np.array(codes)) for codes in ([b"en", b"sw"], [1, 2], ["en"], ["en", "sw", "th"])),
        *(("activated", wrong) for wrong in (ACTIVATED / 1, ACTIVATED - 9, ACTIVATED * 2, ACTIVATED[0], ACTIVATED[:1])),
        *(("activated", wrong) for wrong in (ACTIVATED[..., :0], ACTIVATED[:, :0], ACTIVATED[None, None], np.array(3))),
        *(("tokens", np.array(wrong)) for wrong in (3, [10], [10, 0], [10, -1], [9.0, float("nan")], [True, True])),
        *(("tokens", np.array(wrong)) for wrong in ([2**63 - 1] * 2, ["10", "10"], [[10, 10]] * 2)),
        ("tokens", np.array([2**64 - 1] * 2, dtype=np.uint64)),
    ]


def break_model(folder: Path, data: st.DataObject, marker: Path) -> None:
    """Break a checkpoint so that it cannot be one any more."""
    names = ("config.json", "tokenizer.json", "model.safetensors", "index")
    name, how = data.draw(st.sampled_from(names)), data.draw(st.sampled_from(("cut", "gone", "folder", "other")))
    file = folder / name
    if name == "index":
        (folder / "model.safetensors").rename(folder / "part.safetensors")
        (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Marked(marker)))
        wrong: Any = ("pytorch_model.bin", "../model/x.safetensors", "/etc/passwd", "gone.safetensors", 3, None)
        index: dict[str, Any] = {
            "cut": [],
            "gone": None,
            "folder": {"weight_map": {}},
            "other": {"weight_map": {"a": draw(data, wrong)}},
        }
        if index[how] is not None:
            (folder / "model.safetensors.index.json").write_text(json.dumps(index[how]))
        return
    content = file.read_bytes()
    clear(file)
    if how == "cut":
        file.write_bytes(content[: data.draw(st.integers(0, len(content) - 2))])
    elif how == "folder":
        file.mkdir()
    elif how == "other":
        other = (
            b"[]",
            b"null",
            b"3",
            b"\xff\xfe",
            b'{"a":' * 9000,
            b'{"model_type": []}',
            pickle.dumps(Marked(marker)),
        )
        file.write_bytes(draw(data, other if name == "config.json" else (*other[:5], other[-1])))


def draw(data: st.DataObject, options: Sequence[Any]) -> Any:
    return data.draw(st.sampled_from(options))


def fresh(copy: Path, original: Path) -> Path:
    shutil.rmtree(copy, ignore_errors=True)
    return Path(shutil.copytree(original, copy))


def clear(file: Path) -> None:
    if file.is_dir():
        file.rmdir()
    else:
        file.unlink(missing_ok=True)


def changed(folder: Path, key: str, value: Any) -> bytes:
    values = configuration(folder)
    put(values, key, value)
    return dumped(values)


def dumped(values: Mapping[str, Any]) -> bytes:
    return yaml.safe_dump(dict(values)).encode()


def put(values: dict[str, Any], key: str, value: Any) -> None:
    *sections, name = key.split(".")
    for section in sections:
        inner = values.get(section)
        values[section] = inner = dict(inner) if isinstance(inner, dict) else {}
        values = inner
    values[name] = value


def mutated(content: bytes, data: st.DataObject) -> bytes:
    """Cut short, with bytes taken out or put in, or not text at all."""
    start = data.draw(st.integers(0, len(content)))
    end = min(len(content), start + data.draw(st.integers(0, 40)))
    inside = data.draw(
        st.sampled_from((b"", b"\x00", b"\xff\xfe", b"{", b'"', b"[[[", b"NaN", b"1e999", b"\t", b"&a [*a]"))
    )
    return data.draw(st.sampled_from((content[:start], content[:start] + inside + content[end:])))


def json_lines(rows: Rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def table(rows: Rows, suffix: str) -> bytes:
    """The rows as a file of that kind."""
    if suffix == ".jsonl":
        return json_lines(rows)
    stream, columns = io.BytesIO(), pa.Table.from_pylist(rows)
    if suffix == ".parquet":
        pq.write_table(columns, stream)
    else:
        pa_csv.write_csv(columns, stream, pa_csv.WriteOptions(delimiter="," if suffix == ".csv" else "\t"))
    return stream.getvalue()
