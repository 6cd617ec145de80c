//! What holds of every list, whatever there is: a call that names no size gets a page, one that names too much is
//! refused, pages that follow each other have every row once. Not here: how long they take (`pages`).

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wharf_proto::listing::{DEFAULT_PAGE, MAX_PAGE};

use super::{Browser, pages::rows_of};

/// Bytes of an answer at most that comes without a page size being named.
pub const MOST_BYTES: usize = 512 * 1024;

/// How every list of the director's contracts answers who names no size: name, rows, total, bytes.
pub type Unasked = (String, usize, u64, usize);

/// Asks every list that takes options for nothing in particular, and for more than it gives.
///
/// # Panics
/// When one gives more than a page, or does not refuse a page that is too large.
pub async fn every_list_gives_a_page(browser: &Browser) -> Vec<Unasked> {
    let mut found = Vec::new();
    for (name, method) in browser.methods() {
        if method.package() != "wharf.v1" || !method.is_for_people() || method.streams_answers() {
            continue;
        }
        let too_much = json!({ "options": { "page_size": MAX_PAGE + 1 } });
        let Ok(too_much) = method.encode(&too_much.to_string()) else {
            assert!(!name.contains("/List"), "{name} gives everything at once");
            continue;
        };
        let refused = browser.ask(name, too_much.into()).await;
        let refused = refused.err().map(|refused| refused.status);
        // INVALID_ARGUMENT.
        assert_eq!(
            refused.as_deref(),
            Some("3"),
            "{name} gives more than {MAX_PAGE} rows"
        );
        let answer = browser.ask(name, browser.encode(name, &json!({}))).await;
        let answer = answer.unwrap_or_else(|refused| panic!("{name}: {refused:?}"));
        let (rows, total) = rows_of(&browser.decode(name, &answer));
        assert!(
            rows <= DEFAULT_PAGE,
            "{name} gives {rows} rows who names no size"
        );
        assert!(
            answer.wire <= MOST_BYTES,
            "{name} gives {} bytes",
            answer.wire
        );
        found.push((name.clone(), rows, total, answer.wire));
    }
    found
}

/// Follows a list from its first page to its last, and gives the ids of its rows.
///
/// # Panics
/// When a row comes twice, or a page is too large.
pub async fn walk(browser: &Browser, method: &str, rows: &str, order_by: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut token = Value::String(String::new());
    loop {
        let options = json!({ "page_size": MAX_PAGE, "page_token": token, "order_by": order_by });
        let answer = browser.call(method, &json!({ "options": options })).await;
        let answer = answer.unwrap_or_else(|refused| panic!("{method}: {refused:?}"));
        let page = answer[rows].as_array().cloned().unwrap_or_default();
        assert!(page.len() <= MAX_PAGE, "{method} gives {} rows", page.len());
        for row in page {
            let id = row["id"].as_str().unwrap_or_default().to_owned();
            assert!(
                seen.insert(id.clone()),
                "{method} by {order_by} gives {id} twice"
            );
        }
        token = answer["info"]["next_page_token"].clone();
        if token.as_str().is_none_or(str::is_empty) {
            return seen;
        }
    }
}
