//! The text format in which processes tell their metrics
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>), as far as collecting needs it.
//!
//! Invariants: bounded in series and in the length of names; a line that cannot be read is left out
//! and never spoils the others. Not here: kinds and help texts, which a document does not carry.

/// The most series that are read of one text.
pub const MAX_SERIES: usize = 4_096;
/// Longer names and label values are left out with their line.
const MAX_NAME: usize = 256;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// `wharf_proxy_requests_total`.
    pub name: String,
    /// Labels in their order.
    pub labels: Vec<(String, String)>,
    /// Finite.
    pub value: f64,
}

/// The series of a text, in its order.
#[must_use]
pub fn read(text: &str) -> Vec<Series> {
    text.lines().filter_map(series).take(MAX_SERIES).collect()
}

fn series(line: &str) -> Option<Series> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end = line.find(|c: char| !is_name(c))?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            rest = rest.trim_start_matches([' ', ',']);
            if let Some(after) = rest.strip_prefix('}') {
                rest = after;
                break;
            }
            let (label, after) = rest.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            if labels.len() >= 32 || label.len() > MAX_NAME || value.len() > MAX_NAME {
                return None;
            }
            labels.push((label.to_owned(), value));
            rest = after;
        }
    }
    // A time may follow the value.
    let value: f64 = rest.split_ascii_whitespace().next()?.parse().ok()?;
    let readable = value.is_finite() && !name.is_empty() && name.len() <= MAX_NAME;
    readable.then(|| Series {
        name: name.to_owned(),
        labels,
        value,
    })
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// A label's value up to its closing quote, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            'n' if escaped => value.push('\n'),
            _ if escaped => value.push(c),
            '\\' => {
                escaped = true;
                continue;
            }
            '"' => return Some((value, &text[at + 1..])),
            _ => value.push(c),
        }
        escaped = false;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn series_are_read_with_their_labels_and_broken_lines_left_out() {
        let text = "# HELP a x\n# TYPE a counter\na{b=\"1\",c=\"x \\\"}\\n\"} 3 1700\nbroken{\n\
                    d NaN\ne 1.5\n";
        let read = read(text);
        assert_eq!(read.len(), 2, "{read:?}");
        assert_eq!((read[0].name.as_str(), read[0].value), ("a", 3.0));
        assert_eq!(read[0].labels[1], ("c".to_owned(), "x \"}\n".to_owned()));
        assert_eq!((read[1].name.as_str(), read[1].value), ("e", 1.5));
    }

    proptest! {
        #[test]
        fn any_bytes_give_few_series_of_bounded_names_and_finite_values(
            parts in proptest::collection::vec(
                prop_oneof![
                    proptest::collection::vec(any::<u8>(), 0..40),
                    Just(b"wharf_a{b=\"".to_vec()), Just(b"\"} 1\n".to_vec()), Just(b"m 1e999\n".to_vec()),
                    Just(b"{".to_vec()), Just(b"\\".to_vec()), Just(vec![b'x'; 300]), Just(b" 7\n".to_vec()),
                ],
                0..60,
            ),
        ) {
            let bytes = parts.concat();
            for one in read(&String::from_utf8_lossy(&bytes)) {
                prop_assert!(one.value.is_finite());
                prop_assert!(!one.name.is_empty() && one.name.len() <= MAX_NAME);
                prop_assert!(one.labels.len() <= 32);
                let bounded = |text: &String| text.len() <= MAX_NAME;
                prop_assert!(one.labels.iter().all(|(label, value)| bounded(label) && bounded(value)));
            }
        }

        #[test]
        fn any_text_is_survived_and_any_value_comes_back(text in ".{0,200}", label in ".{0,40}", value: u32) {
            let _ = read(&text);
            let escaped = label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let line = format!("m{{l=\"{escaped}\"}} {value}");
            prop_assume!(line.lines().count() == 1);
            let all = read(&line);
            prop_assert_eq!(all.len(), 1);
            prop_assert_eq!(&all[0].labels[0].1, &label);
            prop_assert_eq!(all[0].value, f64::from(value));
        }
    }
}
