"""Prints ours beside the rival's, and the ratio, from two result files of bench.py."""
import json
import sys


def rows(path):
    with open(path) as file:
        return [json.loads(line) for line in file]


def main(ours_path, rival_path):
    ours, rival = rows(ours_path), rows(rival_path)

    def pick(table, step, kind, field):
        found = [row[field] for row in table if row["step"] == step and row.get("kind") == kind]
        return found[-1] if found else None

    print(f"{'figure':<44}{'ours':>12}{'OpenSearch':>12}{'ratio':>8}")

    def line(name, a, b, digits=0):
        ratio = f"{a / b:.2f}" if a and b else "-"
        show = lambda value: "-" if value is None else f"{value:,.{digits}f}"
        print(f"{name:<44}{show(a):>12}{show(b):>12}{ratio:>8}")

    for kind in ("logs", "metrics"):
        for name, step, field in (
            ("documents per CPU-second", "load", "docs_per_cpu_s"),
            ("documents per CPU-second, settled", "load", "docs_per_cpu_s_settled"),
            ("documents per second", "load", "docs_per_s"),
            ("bytes per document", "size", "bytes_per_doc"),
            ("MiB resident after load", "load", "rss_mb"),
        ):
            found = [pick(table, step, kind, field) if any(field in row for row in table) else None for table in (ours, rival)]
            line(f"{kind}: {name}", *found)
    for table in (ours, rival):
        for row in table:
            if row["step"] == "load" and row["errors"]:
                print(f"errors while loading {row['kind']}: {row['errors']}")
    a = {row["q"]: row for row in rows(ours_path + ".queries")}
    b = {row["q"]: row for row in rows(rival_path + ".queries")}
    for q in sorted(set(a) | set(b)):
        one, other = a.get(q, {}), b.get(q, {})
        line(f"{q}: p50 ms", one.get("p50_ms"), other.get("p50_ms"), 2)
        line(f"{q}: CPU ms", one.get("cpu_ms"), other.get("cpu_ms"), 2)
        for field in ("total", "buckets", "value"):
            if one.get(field) != other.get(field):
                print(f"  {q} answers differ in {field}: {one.get(field)} and {other.get(field)} ({one.get('error', '')})")


main(sys.argv[1], sys.argv[2])
