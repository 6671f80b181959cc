#!/usr/bin/env python3
"""Joins the result files of gpu.sh into gpu.json, and prints what was measured as one table.

    python3 join.py DIR [yes|no]     whether it was a rehearsal: nothing of it was measured on a card
"""

import datetime
import json
import pathlib
import platform
import re
import sys

TEXT_LINES = 20


def result(path: pathlib.Path):
    """What a step printed: one JSON value, one per line, or the last lines of a text."""
    text = path.read_text(errors="replace") if path.exists() else ""
    try:
        return json.loads(text)
    except ValueError:
        pass
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        return [json.loads(line) for line in lines]
    except ValueError:
        return lines[-TEXT_LINES:]


def steps(folder: pathlib.Path) -> dict:
    listed = folder / "steps"
    found = {}
    for name in listed.read_text().split() if listed.exists() else []:
        outcome, seconds, command = (folder / f"{name}.step").read_text().splitlines()
        found[name] = {"outcome": outcome, "seconds": int(seconds), "command": command}
        found[name]["result"] = result(folder / f"{name}.out")
        errors = folder / f"{name}.err"
        if outcome != "finished" and errors.exists():
            found[name]["errors"] = errors.read_text(errors="replace").splitlines()[-TEXT_LINES:]
    return found


def processor() -> str:
    found = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.processor()


def cards(done: dict) -> list[str]:
    """What the driver, and else the doctor, says of the cards."""
    lines = done.get("driver", {}).get("result") or []
    if len(lines) > 1 and done["driver"]["outcome"] == "finished":
        return lines[1:]
    doctor = done.get("doctor", {}).get("result")
    findings = doctor.get("findings", []) if isinstance(doctor, dict) else []
    return [f["found"] for f in findings if f["group"] == "card" and f["check"] == "kind"]


def figures(done: dict) -> list[dict]:
    """Every speed: ours from the report's figures, the others' one per line."""
    found = []
    for name, step in done.items():
        value = step["result"]
        if isinstance(value, dict):
            value = value.get("figures", [])
        for figure in value if isinstance(value, list) else []:
            if isinstance(figure, dict) and "median" in figure:
                found.append({"step": name, **figure})
    return found


def table(rows: list[dict]) -> str:
    """A row for each kind of work, a column for each program."""
    programs = list(dict.fromkeys(row.get("program", "facet") for row in rows))
    work = list(dict.fromkeys((row["name"], row["size"], row["precision"], row["unit"]) for row in rows))
    lines = [["work", "size", "weights", "unit", *programs], ["---"] * (4 + len(programs))]
    for kind in work:
        cells = []
        for program in programs:
            of = [
                row["median"] for row in rows
                if (row["name"], row["size"], row["precision"], row["unit"]) == kind
                and row.get("program", "facet") == program
            ]
            cells.append(f"{of[0]:.4g}" if of else "–")
        lines.append([*kind, *cells])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    done = steps(folder)
    commit = folder / "commit"
    report = {
        "simulated": len(sys.argv) > 2 and sys.argv[2] == "yes",
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": commit.read_text().strip() if commit.exists() else None,
        "hardware": {"cards": cards(done), "processor": processor(), "system": platform.platform()},
        "steps": done,
        "figures": figures(done),
    }
    (folder / "gpu.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    if report["simulated"]:
        print("gpu: a rehearsal on a simulated card: no figure below says anything of a card")
    if report["figures"]:
        print(table(report["figures"]))
    bad = [name for name, step in done.items() if step["outcome"] != "finished"]
    print(f"gpu: {len(done) - len(bad)} of {len(done)} steps finished; everything is in {folder / 'gpu.json'}")
    if bad:
        print(f"gpu: not finished: {', '.join(bad)}")


if __name__ == "__main__":
    main()
