"""Loads a running platform and watches that nothing in it grows: scripts/soak --load [MINUTES].

The load goes through the proxy, bounded: documents by `_bulk` into a data stream of its own, a search
a second over them, a plan a minute (a deployment is created, then deleted, in turn). Once a minute:
resident memory and open file descriptors of every role and instance, and the bytes of the storage
nodes' journals, of the collectors' spool, of the monitoring nodes' ledgers, of Raft's log and its
snapshots; a table on standard output, JSON lines in --json. At the end a verdict on each figure; the
exit code is 1 when one is bad. It leaves the platform as it found it. Needs to see the host's /proc
and the platform's data, so it runs as root on the platform's host.
"""
import argparse
import base64
import http.client
import json
import os
import random
import socket
import ssl
import statistics
import subprocess
import sys
import threading
import time

MIB = 1 << 20
STREAM = "logs-soak.load-default"
# Batches of one second's documents.
BATCHES = 2
SPOOL_SEGMENT = 8 * MIB
# Readings of memory for a sample, so many seconds apart.
READINGS = 5
READING_EVERY = 3
# Descriptors that a process may hold more in the last third than in the middle one, on average.
DESCRIPTORS_MORE = 2


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/soak --load", description=__doc__.split("\n\n")[1])
    parser.add_argument("minutes", type=float, nargs="?", default=60)
    parser.add_argument("--documents", type=int, default=500, help="a second [500]")
    parser.add_argument("--every", type=float, default=60, help="seconds between two samples [60]")
    parser.add_argument("--within", type=float, default=10, help="per cent that memory may differ by [10]")
    parser.add_argument("--json", help="where the samples and the verdict go, a JSON object a line")
    return parser.parse_args()


def wharf(*words):
    """What `wharf … -o json` prints; WHARF names the binary."""
    command = [os.environ.get("WHARF", "dist/wharf"), *words, "-o", "json"]
    answer = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if answer.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed with {answer.returncode}: {answer.stderr.strip()}")
    return json.loads(answer.stdout)


def docker(*words):
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=True).stdout


class Connection(http.client.HTTPSConnection):
    """One connection to the proxy, certificate and name checked, `*.localhost` resolved."""

    def connect(self):
        host = "localhost" if self.host.endswith(".localhost") else self.host
        plain = socket.create_connection((host, self.port), self.timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)


class Store:
    """The `system` deployment, for one thread."""

    def __init__(self, credentials):
        address = credentials["url"].removeprefix("https://")
        host, _, port = address.partition(":")
        context = ssl.create_default_context(cafile=credentials["ca_file"])
        self.connection = Connection(host, int(port or 443), timeout=30, context=context)
        login = f"{credentials['username']}:{credentials['password']}".encode()
        self.headers = {"authorization": "Basic " + base64.b64encode(login).decode()}

    def call(self, method, path, body=""):
        kind = "application/x-ndjson" if path.endswith("_bulk") else "application/json"
        try:
            self.connection.request(method, path, body, {**self.headers, "content-type": kind})
            answer = self.connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            raise
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300].decode(errors='replace')}")
        return json.loads(text)


class Books:
    """What was asked for and what failed; shared by the threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.counts = {"documents": 0, "bulks": 0, "searches": 0, "plans": 0}
        self.failures = []
        self.stop = threading.Event()

    def add(self, what, number=1):
        with self.lock:
            self.counts[what] += number

    def fail(self, what):
        with self.lock:
            self.failures.append(what)
        print(f"FAILED: {what}", flush=True)

    def copy(self):
        with self.lock:
            return dict(self.counts), len(self.failures)


def paced(books, every, work):
    """Calls `work` with 0, 1, … every so many seconds until told to stop; a late one is not made up for."""
    number, due = 0, time.monotonic()
    while not books.stop.is_set():
        try:
            work(number)
        except Exception as error:  # Whatever it was, the run goes on and the verdict is bad.
            books.fail(f"{work.__name__}: {error}")
        number += 1
        due = max(due + every, time.monotonic())
        books.stop.wait(due - time.monotonic())


def writer(store, books, per_second):
    choose = random.Random(7)
    size = max(1, per_second // BATCHES)

    def write(number):
        now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        lines = []
        for place in range(size):
            status = choose.choices((200, 404, 500), (90, 8, 2))[0]
            document = {
                "@timestamp": f"{now}.{place % 1000:03}Z",
                "message": f"order {number}-{place} of customer {choose.randrange(100000)} took {choose.randrange(900)} ms",
                "log": {"level": "error" if status == 500 else "info"},
                "service": {"name": f"service-{choose.randrange(20)}"},
                "host": {"name": f"host-{choose.randrange(5)}"},
                "event": {"duration": choose.randrange(10**9), "dataset": "soak.load"},
                "http": {"response": {"status_code": status}},
            }
            lines += ('{"create":{}}', json.dumps(document))
        answer = store.call("POST", f"/{STREAM}/_bulk", "\n".join(lines) + "\n")
        refused = [item for item in answer["items"] if item["create"]["status"] != 201]
        if refused:
            raise RuntimeError(f"{len(refused)} documents were refused, such as {refused[0]}")
        books.add("documents", size)
        books.add("bulks")

    return write


def searcher(store, books):
    body = json.dumps({
        "size": 10,
        "track_total_hits": True,
        "sort": [{"@timestamp": "desc"}],
        "query": {"bool": {"filter": [{"range": {"@timestamp": {"gte": "now-15m"}}}], "must": [{"match": {"message": "order"}}]}},
        "aggs": {
            "services": {"terms": {"field": "service.name"}, "aggs": {"duration": {"avg": {"field": "event.duration"}}}},
            "over_time": {"date_histogram": {"field": "@timestamp", "fixed_interval": "1m"}},
        },
    })

    def search(number):
        before = books.copy()[0]["documents"]
        if number % 10 == 0:
            seen = store.call("GET", f"/{STREAM}/_count")["count"] if before else 0
            if seen < before:
                raise RuntimeError(f"{before} documents were acknowledged, a search saw {seen}")
        elif before:
            answer = store.call("POST", f"/{STREAM}/_search", body)
            if answer["timed_out"] or answer["_shards"]["failed"]:
                raise RuntimeError(f"a torn answer: {answer['_shards']}")
        books.add("searches")

    return search


def planner(books, made):
    def plan(number):
        name = f"soak-load-{number // 2}"
        if number % 2 == 0:
            made.append(name)
            wharf("deployment", "create", "--name", name, "--memory-mib", "512", "--disk-mib", "1024", "--wait")
        elif name in made:
            wharf("deployment", "delete", name, "--yes", "--wait")
            made.remove(name)
        books.add("plans")

    return plan


def folder_bytes(path):
    """Bytes of the files below a folder; what goes meanwhile counts nothing."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.stat(os.path.join(folder, name)).st_size
            except OSError:
                pass
    return total


def descriptors(pid):
    """Open descriptors: of files of an instance's data, of such files that are deleted, of all else."""
    count = {"descriptors": 0, "data_files": 0, "deleted_files": 0}
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{name}")
        except OSError:
            continue  # It was closed meanwhile.
        of_data = target.startswith("/data/indices/")
        kind = "descriptors" if not of_data else "deleted_files" if target.endswith(" (deleted)") else "data_files"
        count[kind] += 1
    return count


def status_of(pid):
    with open(f"/proc/{pid}/status") as file:
        return dict(line.split(":", 1) for line in file)


def resident_bytes(pid):
    return int(status_of(pid)["VmRSS"].split()[0]) * 1024


def settle(processes):
    """What a process keeps is the least of several readings: a check of a password takes 19 MiB for a moment."""
    for _ in range(READINGS - 1):
        time.sleep(READING_EVERY)
        for one in processes.values():
            try:
                one["rss_bytes"] = min(one["rss_bytes"], resident_bytes(one["pid"]))
            except (OSError, KeyError):
                continue  # It ended meanwhile.


def look(platform_id):
    """One sample: every container's process, and every queue on disk with its bound."""
    ids = docker("ps", "-q", "--filter", f"label=io.wharfinger.platform={platform_id}").split()
    processes, disks = {}, {}
    for shown in json.loads(docker("inspect", *ids)) if ids else []:
        name = shown["Name"].lstrip("/").removeprefix("wharf-")
        pid = shown["State"]["Pid"]
        label = shown["Config"]["Labels"].get
        try:
            processes[name] = {
                "pid": pid,
                "rss_bytes": resident_bytes(pid),
                **descriptors(pid),
                "threads": int(status_of(pid)["Threads"]),
            }
        except (OSError, KeyError):
            continue  # It ended meanwhile; the verdict misses it if it should be there.
        mounts = {mount["Destination"]: mount["Source"] for mount in shown["Mounts"]}
        memory = shown["HostConfig"]["Memory"]
        if label("io.wharfinger.resource-name") == "storage":
            # The store seals what holds the journal back above a sixteenth of its memory, in eighths of that.
            journal = min(max(memory // 16, 16 * MIB), 256 * MIB)
            disks[f"{name} journal"] = (f"{mounts['/data']}/journal", journal * 3 // 2)
        elif label("io.wharfinger.resource-name") == "monitoring":
            disks[f"{name} ledger"] = (f"{mounts['/data']}/ledger", 4 * MIB)
        elif label("io.wharfinger.role") == "director":
            data = next(iter(mounts.values()))
            # A snapshot is due after 32 MiB of entries; sled rewrites its file in place.
            disks["raft log"] = (f"{data}/director/raft/log", 128 * MIB)
            disks["raft snapshots"] = (f"{data}/director/raft/snapshots", 64 * MIB)
            # What is shipped goes by whole segments, so a healthy one holds no more than a few.
            disks["spool"] = (f"{data}/allocator/collectors/spool", 3 * SPOOL_SEGMENT)
    settle(processes)
    return {
        "processes": processes,
        "disks": {name: {"bytes": folder_bytes(path), "bound_bytes": bound} for name, (path, bound) in disks.items()},
    }


def table(sample):
    counts = sample["counts"]
    print(
        f"minute {sample['minute']:.1f}: {counts['documents']:,} documents, {counts['searches']:,} searches, "
        f"{counts['plans']} plans, {sample['failures']} failures"
    )
    for name, one in sorted(sample["processes"].items()):
        files = f", {one['data_files']} segments" if one["data_files"] else ""
        print(f"  {name:<36}{one['rss_bytes'] / MIB:>9.1f} MiB{one['threads']:>5} threads{one['descriptors']:>5} descriptors{files}")
    disks = ", ".join(f"{name} {one['bytes'] / MIB:.1f}" for name, one in sorted(sample["disks"].items()))
    print(f"  MiB on disk: {disks}", flush=True)


def judge(samples, within):
    """A verdict on each figure: (what, good, what was seen). Judged is what was there before the load."""
    first, samples = samples[0], samples[1:]
    third = len(samples) // 3
    if third == 0:
        return [("samples", False, f"{len(samples)} under load are too few: three at least")]
    parts = samples[third : 2 * third], samples[-third:]
    verdicts = []
    for name in sorted(first["processes"]):
        seen = [sample["processes"].get(name) for sample in samples]
        if None in seen or {one["pid"] for one in seen} != {first["processes"][name]["pid"]}:
            verdicts.append((name, False, "it was not the same process all the time"))
            continue

        def values(field):
            return ([sample["processes"][name][field] for sample in part] for part in parts)

        before, after = map(statistics.median, values("rss_bytes"))
        change = 100 * (after - before) / before
        verdicts.append((f"{name}: memory", change <= within, f"{before / MIB:.1f} then {after / MIB:.1f} MiB ({change:+.1f} %)"))
        # The means: every other minute a deployment more is connected, and a median would jump with it.
        before, after = map(statistics.mean, values("descriptors"))
        verdicts.append((f"{name}: descriptors", after <= before + DESCRIPTORS_MORE, f"{before:.1f} then {after:.1f}"))
        # Segments are as many as the data wants; a deleted one that stays open is a leak.
        _, after = map(statistics.median, values("deleted_files"))
        if any(one["data_files"] for one in seen):
            most = max(one["data_files"] for one in seen)
            verdicts.append((f"{name}: segments", after == 0, f"at most {most} open, {after:.0f} of deleted ones"))
    for name in sorted(first["disks"]):
        seen = [sample["disks"][name] for sample in samples if name in sample["disks"]]
        most = max(one["bytes"] for one in seen)
        bound = seen[0]["bound_bytes"]
        verdicts.append((f"{name}: bytes", most <= bound, f"at most {most / MIB:.1f} of {bound / MIB:.1f} MiB"))
    return verdicts


def main():
    given = arguments()
    record = open(given.json, "w") if given.json else None

    def keep(kind, value):
        if record:
            record.write(json.dumps({"kind": kind, **value}) + "\n")
            record.flush()

    platform_id = wharf("status")["platform_id"]
    credentials = wharf("deployment", "credentials", "system")
    books, made = Books(), []
    work = [
        (1 / BATCHES, writer(Store(credentials), books, given.documents)),
        (1, searcher(Store(credentials), books)),
        (60, planner(books, made)),
    ]
    threads = [threading.Thread(target=paced, args=(books, *one)) for one in work]
    samples, began = [], time.monotonic()
    for thread in threads:
        thread.start()
    try:
        for number in range(int(given.minutes * 60 / given.every) + 1):
            time.sleep(max(0, began + number * given.every - time.monotonic()))
            counts, failures = books.copy()
            minute = (time.monotonic() - began) / 60
            sample = {"minute": round(minute, 2), "counts": counts, "failures": failures, **look(platform_id)}
            samples.append(sample)
            keep("sample", sample)
            table(sample)
    except KeyboardInterrupt:
        print("interrupted: the verdict is on what was seen so far")
    finally:
        books.stop.set()
        for thread in threads:
            thread.join()
    verdicts = judge(samples, given.within) + [end(Store(credentials), books, made)]
    for what, good, seen in verdicts:
        print(f"{'good' if good else 'BAD':<5}{what:<52} {seen}")
        keep("verdict", {"what": what, "good": good, "seen": seen})
    return 0 if all(good for _, good, _ in verdicts) else 1


def end(store, books, made):
    """The books of the load are closed, and what the run made is removed."""
    counts, failures = books.copy()
    stored = store.call("GET", f"/{STREAM}/_count")["count"]
    for name in list(made):
        wharf("deployment", "delete", name, "--yes", "--wait")
    store.call("DELETE", f"/_data_stream/{STREAM}")
    seen = f"{counts['documents']:,} documents acknowledged, {stored:,} stored, {counts['searches']:,} searches, {counts['plans']} plans, {failures} failures"
    return ("load", failures == 0 and stored == counts["documents"] > 0, seen)


if __name__ == "__main__":
    sys.exit(main())
