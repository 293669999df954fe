#!/usr/bin/env python3
"""The rules of the house that neither the compiler nor clippy can hold. Prints what breaks them, one finding a line."""

import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

MOST_LINES = 500

# model <- store <- authority <- http <- server: which of the house's crates each one may use.
MAY_USE = {
    "model": set(),
    "store": {"model"},
    "authority": {"model", "store"},
    "http": {"model", "authority"},
    "server": {"model", "store", "authority", "http"},
    # For the services of others: nothing of the house comes with it.
    "verify": set(),
}

# What would bring in what a crate must never hold, whatever its code looks like.
DATABASE = {"sqlx", "rusqlite", "tokio-postgres"}
SOCKETS = {"axum", "axum-server", "hyper", "hyper-util", "reqwest", "tower", "tower-http", "utoipa"}
MUST_NOT_USE = {
    "model": DATABASE | SOCKETS | {"tokio", "futures", "tracing"},
    "store": SOCKETS,
    "authority": DATABASE | SOCKETS,
    "http": DATABASE | {"reqwest"},
    "server": DATABASE,
    "verify": DATABASE,
}

# The folders of crates/http/src that translate a protocol; none may reach into another.
DIALECTS = ("wavefront", "csp", "splunk", "oauth", "native", "gate", "console")


def files():
    """Every file of the source folders that git tracks or would track."""
    folders = ["crates", "tests", "bench", "fuzz"]
    try:
        listing = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *folders],
            cwd=ROOT, check=True, capture_output=True, text=True,
        ).stdout
        names = [name for name in listing.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        # An unpacked archive: no git, and nothing that git would ignore but build folders.
        names = [
            os.path.relpath(os.path.join(place, name), ROOT)
            for folder in folders
            for place, _, found in os.walk(ROOT / folder)
            if "target" not in pathlib.Path(place).relative_to(ROOT).parts
            for name in found
        ]
    # A file that was deleted and not committed yet is still listed.
    return sorted(name for name in set(names) if (ROOT / name).is_file())


def code_lines(name):
    """The lines of a Rust file with their numbers, comments left out."""
    for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1):
        if not line.lstrip().startswith("//"):
            yield number, line


def lengths(names):
    for name in names:
        if name.endswith((".rs", ".py", ".sh")):
            count = len((ROOT / name).read_text(encoding="utf-8").splitlines())
            if count > MOST_LINES:
                yield f"{name}: {count} lines; a file has at most {MOST_LINES}"


def names_that_say_nothing(names):
    for name in names:
        if re.search(r"(^|/)(utils?|common|helpers?)(\.rs|/)", name):
            yield f"{name}: call it by what it holds"


# What may stand only in some places: (pattern, where it may stand, what to do instead). Paths are of crates/*/src.
PLACES = [
    (r'"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM) ', r"crates/store/", "SQL stands in crates/store only"),
    (
        r"\b(SystemTime|Timestamp|Zoned)::now\b",
        r"crates/(model/src/env|server/)",
        "time comes from the context's Clock",
    ),
    (
        r"\bgetrandom::|\bthread_rng\b|\brand::",
        # Signatures need chance of their library's own, as its keys do.
        r"crates/(model/src/env|authority/src/keys/pair)",
        "randomness comes from the context's Random",
    ),
    (r"\benv::(var|vars|var_os|vars_os)\b", r"crates/server/", "only the server reads environment variables"),
    (r"\bpub\s+use\s+tokenhouse_store\b", r"crates/server/", "the store is not handed on"),
    (r"\b(struct|enum|trait)\s+\w+(Manager|Impl|Helper)\b", r"$^", "plain nouns: say what it is"),
]


def misplaced(names):
    for name in names:
        # Tests stand beside the code, in files of their own.
        if not re.match(r"crates/[^/]+/src/.*\.rs$", name) or re.search(r"(^|/|_)tests?(\.rs$|/)", name):
            continue
        for number, line in code_lines(name):
            for pattern, place, why in PLACES:
                if re.search(pattern, line) and not re.match(place, name):
                    yield f"{name}:{number}: {why}: {line.strip()}"


def dialects_apart(names):
    for name in names:
        inside = re.match(r"crates/http/src/(\w+)/", name)
        if not inside or inside[1] not in DIALECTS or not name.endswith(".rs"):
            continue
        others = "|".join(dialect for dialect in DIALECTS if dialect != inside[1])
        for number, line in code_lines(name):
            if re.search(rf"\bcrate::({others})\b", line):
                yield f"{name}:{number}: a dialect never calls another: {line.strip()}"


def directions():
    """Which crate uses which. Also test and build dependencies: what a test can reach, code soon will."""
    metadata = json.loads(subprocess.run(
        ["cargo", "metadata", "--no-deps", "--locked", "--format-version", "1"],
        cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True,
    ).stdout)
    packages = {package["name"].removeprefix("tokenhouse-"): package for package in metadata["packages"]}
    for name in sorted(MAY_USE.keys() - packages.keys()):
        yield f"the crate {name} is missing"
    for name, package in sorted(packages.items()):
        if name not in MAY_USE:
            if pathlib.Path(package["manifest_path"]).is_relative_to(ROOT / "crates"):
                yield f"the crate {name} is not in the table of tests/house.py"
            continue
        for dependency in package["dependencies"]:
            used = dependency["name"]
            if used in MUST_NOT_USE[name]:
                yield f"crates/{name} must not depend on {used}"
            if used.startswith("tokenhouse-") and used.removeprefix("tokenhouse-") not in MAY_USE[name]:
                yield f"crates/{name} must not depend on {used}"
    for name in MAY_USE.keys() & packages.keys():
        manifest = pathlib.Path(packages[name]["manifest_path"]).read_text(encoding="utf-8")
        if not re.search(r"^\[lints\]\nworkspace = true$", manifest, re.MULTILINE):
            yield f"crates/{name}/Cargo.toml: say [lints] workspace = true"


def main():
    names = files()
    findings = [
        *lengths(names),
        *names_that_say_nothing(names),
        *misplaced(names),
        *dialects_apart(names),
        *directions(),
    ]
    for finding in findings:
        print(finding)
    if findings:
        sys.exit(f"{len(findings)} findings")
    print(f"{len(names)} files, nothing found")


if __name__ == "__main__":
    main()
