//! Takes secrets out of whatever goes into an archive: by the names of fields, by the shapes that
//! secrets have, and by the very values that are known. Invariants: what is put in is never given
//! back longer than it was by more than the marks; every rule is about what to remove, so that a
//! doubt removes. Not here: what is gathered (`mod.rs`).

use std::{collections::BTreeSet, sync::OnceLock};

use base64::Engine as _;
use regex::{Captures, Regex};
use serde_json::Value;

/// Stands where a secret was.
pub(super) const MARK: &str = "[redacted]";
/// A known value that is shorter is a word that may stand anywhere; rules by name and shape find it.
const SHORTEST: usize = 6;
/// Parts of names whose values are secret.
const NAMES: [&str; 10] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "api_key",
    "apikey",
    "credential",
    "private",
    "authorization",
];

/// Removes secrets.
#[derive(Debug, Default)]
pub(super) struct Redactor {
    known: BTreeSet<String>,
}

impl Redactor {
    /// From now on this value is removed wherever it stands, also as JSON, a URL and basic
    /// credentials write it.
    pub(super) fn know(&mut self, secret: &str) {
        let secret = secret.trim();
        if secret.len() < SHORTEST {
            return;
        }
        self.known.insert(secret.to_owned());
        let quoted = Value::from(secret).to_string();
        self.known.insert(quoted[1..quoted.len() - 1].to_owned());
        let percent: String = secret
            .bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            })
            .collect();
        self.known.insert(percent);
        let base64 = base64::engine::general_purpose::STANDARD.encode(secret);
        self.known.insert(base64);
    }

    /// Knows the password, and both as basic credentials have them.
    pub(super) fn know_login(&mut self, username: &str, password: &str) {
        self.know(password);
        self.know(&format!("{username}:{password}"));
    }

    /// Knows every secret of a file of ours: the values of secret fields when it is JSON or YAML, the
    /// lines of private keys, else the whole of it.
    pub(super) fn know_file(&mut self, text: &str) {
        if text.contains("-----BEGIN") {
            let mut inside = false;
            for line in text.lines() {
                if line.starts_with("-----") {
                    inside = line.contains("BEGIN") && line.contains("PRIVATE KEY");
                } else if inside {
                    self.know(line);
                }
            }
        } else if let Ok(value) = serde_json::from_str::<Value>(text) {
            self.know_fields(&value, false);
        } else {
            self.know(text);
        }
    }

    fn know_fields(&mut self, value: &Value, secret: bool) {
        match value {
            Value::String(text) if secret => self.know(text),
            Value::Array(items) => {
                for item in items {
                    self.know_fields(item, secret);
                }
            }
            Value::Object(fields) => {
                for (name, field) in fields {
                    self.know_fields(field, secret || is_secret(name));
                }
            }
            _ => {}
        }
    }

    /// The text without secrets.
    pub(super) fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        // The longest first: a login holds its password.
        let mut known: Vec<&String> = self.known.iter().collect();
        known.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        for secret in known {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), MARK);
            }
        }
        for (shape, keep) in shapes() {
            if shape.is_match(&text) {
                text = shape
                    .replace_all(&text, |found: &Captures<'_>| {
                        let mut kept = String::new();
                        for group in 1..=*keep {
                            kept.push_str(found.get(group).map_or("", |part| part.as_str()));
                        }
                        kept + MARK
                    })
                    .into_owned();
            }
        }
        text
    }

    /// The value without secrets: fields with secret names are marked whole, all other texts as
    /// [`Self::text`] does it, names too.
    pub(super) fn json(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => items.iter().map(|item| self.json(item)).collect(),
            Value::Object(fields) => {
                // A list of variables has the secret's name beside its value.
                let names_secret = ["name", "key"]
                    .iter()
                    .filter_map(|field| fields.get(*field).and_then(Value::as_str))
                    .any(is_secret);
                let fields = fields.iter().map(|(name, field)| {
                    let secret = is_secret(name) || (names_secret && name == "value");
                    let field = if secret {
                        mark(field)
                    } else {
                        self.json(field)
                    };
                    (self.text(name), field)
                });
                Value::Object(fields.collect())
            }
            other => other.clone(),
        }
    }
}

/// A secret field's value: what is not there is still seen not to be there.
fn mark(value: &Value) -> Value {
    let empty = match value {
        Value::Null | Value::Bool(_) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Number(_) => false,
    };
    if empty {
        value.clone()
    } else {
        Value::from(MARK)
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase().replace('-', "_");
    NAMES.iter().any(|part| name.contains(part))
}

/// Shapes of secrets in text, with the number of groups that are kept before the mark.
fn shapes() -> &'static [(Regex, usize)] {
    static SHAPES: OnceLock<Vec<(Regex, usize)>> = OnceLock::new();
    SHAPES.get_or_init(|| {
        [
            // A key whose end is cut off is a key too.
            (
                r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)",
                0,
            ),
            (r#"\$(?:argon2(?:id|i|d)|2[aby]|5|6|scrypt|pbkdf2[a-z0-9-]*)\$[^\s"';]+"#, 0),
            (
                r#"(?i)\b((?:proxy-)?authorization|set-cookie|cookie|x-api-key)(\\*["']?\s*[:=]\s*)[^\r\n]+"#,
                2,
            ),
            (r"(?i)\b(basic|bearer|apikey)(\s+)[A-Za-z0-9+/=._~-]{6,}", 2),
            (r#"(://)[^/\s@"']+@"#, 1),
            // The path of a webhook is what lets one post to it.
            (r#"(?i)(https?://hooks\.[^/\s"']+/)[^\s"']+"#, 1),
            (r#"(?i)(https?://[^/\s"']+/(?:[^\s"'?]*/)?(?:webhooks?|services)/)[^\s"']+"#, 1),
            (
                r#"(?i)([a-z0-9_.-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|private[_-]?key|credential)[a-z0-9_.-]*)(\\*["']?\s*(?:[:=]|=>)\s*)(?:\\+"[^"\\]*\\+"|"(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;&}"']+)"#,
                2,
            ),
            (
                r#"(?i)(--?[a-z-]*(?:password|passwd|secret|token|api-key)\s+)("[^"]*"|'[^']*'|[^\s-]\S*)"#,
                1,
            ),
            (r"(\s(?:-u|--user)[ =]?)([^\s:]+:\S+)", 1),
        ]
        .into_iter()
        // The test below compiles each of them.
        .filter_map(|(shape, keep)| Regex::new(shape).ok().map(|shape| (shape, keep)))
        .collect()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const SECRET: &str = "hunter2-Zq9";

    #[test]
    fn every_shape_compiles() {
        assert_eq!(shapes().len(), 10);
    }

    #[test]
    fn a_secret_is_found_by_its_shape_wherever_it_stands() {
        let redactor = Redactor::default();
        for text in [
            format!("password={SECRET}"),
            format!("WHARF_PASSWORD={SECRET} wharf up"),
            format!("smtp.password: \"{SECRET} with words\""),
            format!(r#"{{"username":"x","password":"{SECRET}"}}"#),
            format!(r#"{{\"password\":\"{SECRET}\"}}"#),
            format!("GET /?api_key={SECRET}&x=1"),
            format!("authorization: Basic {SECRET}="),
            format!("Bearer {SECRET}"),
            format!("postgres://user:{SECRET}@db:5432/x"),
            format!("https://{SECRET}@example.com/"),
            format!("https://hooks.slack.example/services/T0/B0/{SECRET}"),
            format!("https://chat.example/webhook/{SECRET}"),
            format!("curl -u elastic:{SECRET} https://x"),
            format!("mysql --password {SECRET} -h x"),
            format!("-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----"),
            format!("-----BEGIN EC PRIVATE KEY-----\n{SECRET}"),
            format!("$argon2id$v=19$m=1,t=1,p=1$c2FsdA${SECRET}"),
            format!("Cookie: session={SECRET}"),
        ] {
            let clean = redactor.text(&text);
            assert!(!clean.contains(SECRET), "`{text}` became `{clean}`");
            assert!(clean.contains(MARK), "`{clean}` does not say so");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        let redactor = Redactor::default();
        for text in [
            "the director leads term 4",
            "GET /_cat/indices?v 200 4 ms",
            "https://system.localhost:9243/_search",
            "a password is needed",
        ] {
            assert_eq!(redactor.text(text), text);
        }
    }

    #[test]
    fn fields_are_judged_by_their_names_at_any_depth() {
        let redactor = Redactor::default();
        let value = json!({
            "channels": [{"email": {"host": "mail", "password": SECRET}}],
            "env": [{"name": "DB_PASSWORD", "value": SECRET}, format!("API_TOKEN={SECRET}")],
            "credentials": {"any": [SECRET]},
            "next_page_token": "",
            "port": 25,
        });
        let clean = redactor.json(&value);
        assert!(!clean.to_string().contains(SECRET), "{clean}");
        assert_eq!(clean["channels"][0]["email"]["host"], "mail");
        assert_eq!(clean["next_page_token"], "", "what is empty is seen to be");
    }

    #[test]
    fn a_file_of_ours_teaches_its_secrets() {
        let mut redactor = Redactor::default();
        redactor
            .know_file(&json!({"users": [{"password": SECRET, "name": "elastic"}]}).to_string());
        redactor.know_file("-----BEGIN CERTIFICATE-----\nPUBLICPUBLIC\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nPRIVATEPRIVATE\n-----END PRIVATE KEY-----");
        redactor.know_file("0707070707\n");
        let clean = redactor.text(&format!(
            "{SECRET} elastic PUBLICPUBLIC PRIVATEPRIVATE 0707070707"
        ));
        assert_eq!(clean, format!("{MARK} elastic PUBLICPUBLIC {MARK} {MARK}"));
    }

    proptest! {
        #[test]
        fn a_known_value_is_never_left(secret in "[ -~]{6,40}", before in "[ -~]{0,40}", after in "[ -~]{0,40}") {
            let secret = secret.trim().to_owned();
            prop_assume!(secret.len() >= SHORTEST && !MARK.contains(&secret));
            let mut redactor = Redactor::default();
            redactor.know(&secret);
            let clean = redactor.text(&format!("{before}{secret}{after}"));
            let rest = clean.replace(MARK, "\n");
            prop_assert!(!rest.contains(&secret), "`{clean}`");
            let value = redactor.json(&json!({"a": [format!("{before}{secret}{after}")]}));
            let rest = value.to_string().replace(MARK, "\n");
            prop_assert!(!rest.contains(&Value::from(secret.as_str()).to_string()[1..secret.len() + 1]));
        }
    }
}
