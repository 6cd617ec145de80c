"""What the official Python client sees of a store; argument: its address. Exits with an error when anything is off."""
import sys
from elasticsearch import ConflictError, Elasticsearch, NotFoundError, helpers

es = Elasticsearch(sys.argv[1])
assert es.info()["version"]["number"].startswith("8."), es.info()


def raises(kind, call):
    try:
        call()
    except kind:
        return
    raise AssertionError(f"no {kind.__name__}")


es.indices.put_index_template(
    name="parts", index_patterns=["parts-*"], data_stream={}, priority=200,
    template={"mappings": {"properties": {"@timestamp": {"type": "date"}, "kind": {"type": "keyword"}, "size": {"type": "long"}}}})
assert es.indices.exists_index_template(name="parts")
rows = [{"_op_type": "create", "_index": "parts-a", "@timestamp": 1700000000000 + i, "kind": f"k{i % 3}", "size": i} for i in range(250)]
done, errors = helpers.bulk(es, rows, refresh=True)
assert (done, errors) == (250, []), (done, errors)
streams = es.indices.get_data_stream(name="parts-a")["data_streams"]
assert [s["name"] for s in streams] == ["parts-a"], streams

answer = es.search(index="parts-a", size=2, sort=[{"size": "desc"}], query={"term": {"kind": "k1"}},
                   aggs={"kinds": {"terms": {"field": "kind"}, "aggs": {"sum": {"sum": {"field": "size"}}}}})
assert answer["hits"]["total"]["value"] == 83, answer
assert [h["_source"]["size"] for h in answer["hits"]["hits"]] == [247, 244], answer
buckets = answer["aggregations"]["kinds"]["buckets"]
assert [(b["key"], b["doc_count"], b["sum"]["value"]) for b in buckets] == [("k1", 83, sum(range(1, 250, 3)))], buckets
assert es.count(index="parts-a")["count"] == 250

scanned = sorted(h["_source"]["size"] for h in helpers.scan(es, index="parts-a", size=40))
assert scanned == list(range(250)), scanned

es.create(index="plain", id="1", document={"a": 1}, refresh=True)
raises(ConflictError, lambda: es.create(index="plain", id="1", document={"a": 2}))
raises(NotFoundError, lambda: es.get(index="plain", id="2"))
raises(NotFoundError, lambda: es.search(index="absent"))
assert es.get(index="plain", id="1")["_source"] == {"a": 1}
es.indices.delete_data_stream(name="parts-a")
raises(NotFoundError, lambda: es.indices.get_data_stream(name="parts-a"))
print("ok")
