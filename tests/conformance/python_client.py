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

pit = es.open_point_in_time(index="parts-a", keep_alive="1m")["id"]
pages, after = [], None
while True:
    page = es.search(pit={"id": pit, "keep_alive": "1m"}, size=100, sort=[{"size": "asc"}], search_after=after)["hits"]["hits"]
    if not page:
        break
    pages.append([h["_source"]["size"] for h in page])
    after = page[-1]["sort"]
assert [len(p) for p in pages] == [100, 100, 50] and sum(pages, []) == list(range(250)), pages
assert es.close_point_in_time(id=pit)["succeeded"]

done, errors = helpers.reindex(es, "parts-a", "copy-a", scan_kwargs={"size": 60}, op_type="index")
assert (done, errors) == (250, 0), (done, errors)
done = es.reindex(source={"index": "copy-a", "query": {"term": {"kind.keyword": "k1"}}}, dest={"index": "copy-b"}, refresh=True)
assert done["created"] == 83, done
assert es.update_by_query(index="copy-b", query={"range": {"size": {"lt": 10}}}, refresh=True)["updated"] == 3
assert es.delete_by_query(index="copy-b", query={"match_all": {}}, refresh=True)["deleted"] == 83
ids = [h["_id"] for h in es.search(index="copy-a", size=3, sort=["size"])["hits"]["hits"]]
assert [d["_source"]["size"] for d in es.mget(index="copy-a", ids=ids)["docs"]] == [0, 1, 2]
marked = es.search(index="copy-a", size=1, sort=["size"], query={"match": {"kind": "k2"}}, highlight={"fields": {"kind": {}}})
assert marked["hits"]["hits"][0]["highlight"] == {"kind": ["<em>k2</em>"]}, marked

es.create(index="plain", id="1", document={"a": 1}, refresh=True)
raises(ConflictError, lambda: es.create(index="plain", id="1", document={"a": 2}))
raises(NotFoundError, lambda: es.get(index="plain", id="2"))
raises(NotFoundError, lambda: es.search(index="absent"))
assert es.get(index="plain", id="1")["_source"] == {"a": 1}
es.indices.delete_data_stream(name="parts-a")
raises(NotFoundError, lambda: es.indices.get_data_stream(name="parts-a"))
print("ok")
