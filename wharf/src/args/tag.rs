//! Tags of hosts as people type them: `KEY=VALUE`, by one rule wherever they are typed. Invariant: both sides
//! are short and printable ASCII, so that a tag shows in a table as it is. Not here: what looks at them.

/// Bytes of a key, and of a value, at most.
const LONGEST: usize = 128;

/// The two sides of `KEY=VALUE`; the value may be empty.
pub(super) fn parse(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or("write KEY=VALUE, for example disk=ssd")?;
    let fits =
        |text: &str| text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic());
    if key.is_empty() || !fits(key) || !fits(value) {
        return Err("key and value are up to 128 printable ASCII characters".to_owned());
    }
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn a_tag_has_a_key_and_both_sides_are_short_and_printable() {
        assert_eq!(parse("disk=ssd"), Ok(("disk".into(), "ssd".into())));
        assert_eq!(parse("disk=a=b"), Ok(("disk".into(), "a=b".into())));
        assert_eq!(parse("disk="), Ok(("disk".into(), String::new())));
        let long = "x".repeat(LONGEST + 1);
        for text in [
            "=x".to_owned(),
            "disk".to_owned(),
            "disk=\u{1b}[2J".to_owned(),
            "a rack=7".to_owned(),
            "plätze=7".to_owned(),
            format!("{long}=x"),
            format!("disk={long}"),
        ] {
            assert!(parse(&text).is_err(), "`{text}` was taken");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_is_what_was_typed(text in any::<String>()) {
            if let Ok((key, value)) = parse(&text) {
                prop_assert_eq!(&format!("{key}={value}"), &text);
                prop_assert!(text.len() <= 2 * LONGEST + 1);
            }
        }
    }
}
