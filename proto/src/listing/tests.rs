//! Filters, orders and pages.

use proptest::prelude::*;

use super::*;

const FIELDS: [&str; 4] = ["name", "zone", "memory", "connected"];

#[derive(Debug, Clone, PartialEq)]
struct Row {
    id: u32,
    name: String,
    zone: String,
    memory: u32,
    connected: bool,
}

fn field(row: &Row, field: &str) -> Value {
    match field {
        "zone" => row.zone.as_str().into(),
        "memory" => row.memory.into(),
        "connected" => row.connected.into(),
        _ => row.name.as_str().into(),
    }
}

fn rows(count: u32) -> Vec<Row> {
    (0..count)
        .map(|id| Row {
            id,
            name: format!("n{}", id % 7),
            zone: format!("zone {}", id % 3),
            memory: id % 5,
            connected: id % 2 == 0,
        })
        .collect()
}

fn ids(ask: &Ask<'_>, rows: Vec<Row>) -> Vec<u32> {
    let query = ListQuery::parse(ask, &FIELDS).unwrap();
    query
        .page(rows, field, |row| format!("{:05}", row.id))
        .rows
        .iter()
        .map(|row| row.id)
        .collect()
}

#[test]
fn a_filter_joins_its_terms() {
    let filtered = |filter| {
        ids(
            &Ask {
                filter,
                ..Ask::default()
            },
            rows(12),
        )
    };
    assert_eq!(filtered("connected=true and memory=2"), [2]);
    assert_eq!(filtered("zone=\"zone 1\" and memory!=1"), [7, 10, 4]);
    assert_eq!(filtered("zone=zone 1 and memory!=1"), [7, 10, 4]);
    assert_eq!(filtered("name~N1"), [1, 8]);
    assert_eq!(filtered(" "), ids(&Ask::default(), rows(12)));
}

#[test]
fn numbers_are_ordered_as_numbers_and_equal_ones_by_id() {
    let ask = Ask {
        order_by: "memory desc",
        ..Ask::default()
    };
    assert_eq!(ids(&ask, rows(7)), [4, 3, 2, 1, 6, 0, 5]);
}

#[test]
fn each_mistake_names_its_option() {
    let long = "x".repeat(FILTER_BYTES + 1);
    let cases = [
        (
            Ask {
                page_size: 1001,
                ..Ask::default()
            },
            Mistake::PageSize,
            "options.page_size",
        ),
        (
            Ask {
                page_token: "x",
                ..Ask::default()
            },
            Mistake::PageToken,
            "options.page_token",
        ),
        (
            Ask {
                filter: "name",
                ..Ask::default()
            },
            Mistake::Filter,
            "options.filter",
        ),
        (
            Ask {
                filter: "nope=1",
                ..Ask::default()
            },
            Mistake::Filter,
            "options.filter",
        ),
        (
            Ask {
                filter: "name=1 and ",
                ..Ask::default()
            },
            Mistake::Filter,
            "options.filter",
        ),
        (
            Ask {
                filter: "name=\"1",
                ..Ask::default()
            },
            Mistake::Filter,
            "options.filter",
        ),
        (
            Ask {
                filter: "name=\"1\" or",
                ..Ask::default()
            },
            Mistake::Filter,
            "options.filter",
        ),
        (
            Ask {
                filter: "name!1",
                ..Ask::default()
            },
            Mistake::Filter,
            "options.filter",
        ),
        (
            Ask {
                filter: &long,
                ..Ask::default()
            },
            Mistake::Filter,
            "options.filter",
        ),
        (
            Ask {
                order_by: "nope",
                ..Ask::default()
            },
            Mistake::Order,
            "options.order_by",
        ),
        (
            Ask {
                order_by: "name up",
                ..Ask::default()
            },
            Mistake::Order,
            "options.order_by",
        ),
        (
            Ask {
                order_by: "name desc x",
                ..Ask::default()
            },
            Mistake::Order,
            "options.order_by",
        ),
    ];
    for (ask, mistake, option) in cases {
        let error = ListQuery::parse(&ask, &FIELDS).unwrap_err();
        assert_eq!((error.mistake, error.field()), (mistake, option), "{ask:?}");
    }
}

#[test]
fn a_token_of_another_filter_is_refused() {
    let query = ListQuery::parse(
        &Ask {
            page_size: 2,
            ..Ask::default()
        },
        &FIELDS,
    )
    .unwrap();
    let token = query
        .page(rows(9), field, |row| row.id.to_string())
        .next_page_token;
    let ask = Ask {
        page_token: &token,
        filter: "zone~1",
        ..Ask::default()
    };
    assert_eq!(
        ListQuery::parse(&ask, &FIELDS).unwrap_err().mistake,
        Mistake::PageToken
    );
}

proptest! {
    #[test]
    fn pages_together_are_the_whole_list_also_when_rows_go_between(
        count in 0_u32..60,
        page_size in 1_u32..9,
        order_by in proptest::sample::select(vec!["", "name desc", "memory", "connected desc"]),
        gone in 0_u32..60,
    ) {
        let whole = ids(&Ask { page_size: 1000, order_by, ..Ask::default() }, rows(count));
        let (mut seen, mut token) = (Vec::new(), String::new());
        let mut left = rows(count);
        loop {
            let ask = Ask { page_size, page_token: &token, order_by, ..Ask::default() };
            let query = ListQuery::parse(&ask, &FIELDS).unwrap();
            let page = query.page(left.clone(), field, |row| format!("{:05}", row.id));
            seen.extend(page.rows.iter().map(|row| row.id));
            // One row goes after the first page.
            left.retain(|row| row.id != gone);
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        let expected: Vec<u32> =
            whole.into_iter().filter(|id| *id != gone || seen.contains(id)).collect();
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn a_page_has_the_first_rows_however_they_come_and_however_many_are_alike(
        all in proptest::collection::btree_map(0_u32..10_000, 0_u32..4, 0..300),
        turn in any::<u32>(),
        page_size in 1_u32..40,
        descending in any::<bool>(),
    ) {
        let mut all: Vec<Row> = all
            .into_iter()
            .map(|(id, memory)| Row { id, memory, ..rows(1).remove(0) })
            .collect();
        let mut expected: Vec<(u32, u32)> = all.iter().map(|row| (row.memory, row.id)).collect();
        expected.sort_by_key(|(memory, id)| {
            (if descending { u32::MAX - memory } else { *memory }, *id)
        });
        expected.truncate(page_size as usize);
        all.sort_by_key(|row| row.id.wrapping_mul(turn | 1));
        let order_by = if descending { "memory desc" } else { "memory" };
        let found = ids(&Ask { page_size, order_by, ..Ask::default() }, all);
        let expected: Vec<u32> = expected.into_iter().map(|(_, id)| id).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn any_options_are_read_or_refused(
        page_size in any::<u32>(),
        page_token in ".{0,40}",
        filter in "([a-z]{0,5}|name|zone)[=!~]{0,2}[\"a-z ]{0,5}( and )?.{0,20}",
        order_by in ".{0,20}",
    ) {
        let ask = Ask { page_size, page_token: &page_token, filter: &filter, order_by: &order_by };
        if let Ok(query) = ListQuery::parse(&ask, &FIELDS) {
            query.page(rows(9), field, |row| row.id.to_string());
        }
    }

    #[test]
    fn any_token_is_a_position_or_nothing(token in "[0-9a-f.tnb+-]{0,60}") {
        parse_token(&token, "ab");
        parse_token(&format!("ab.t.{token}"), "ab");
    }
}
