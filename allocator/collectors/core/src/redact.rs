//! Takes secrets out of command lines before anything is shipped.
//!
//! Invariants: the number of arguments stays; what follows a telling name (`--password`, `TOKEN=`)
//! and credentials inside URLs are replaced; output is bounded.
//! Not here: environments, which are never read.

/// What stands where a secret stood.
pub const REDACTED: &str = "[redacted]";

const MAX_ARGUMENT_BYTES: usize = 512;

const TELLING: [&str; 14] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "apikey",
    "api-key",
    "api_key",
    "access-key",
    "access_key",
    "private-key",
    "private_key",
    "credential",
];

/// Redacts one command line.
pub fn arguments<S: AsRef<str>>(arguments: &[S]) -> Vec<String> {
    let mut out = Vec::with_capacity(arguments.len());
    let mut hide_next = false;
    for argument in arguments {
        let argument = argument.as_ref();
        if hide_next && argument.is_empty() {
            out.push(String::new());
            continue;
        }
        if hide_next && !argument.starts_with('-') {
            hide_next = false;
            out.push(REDACTED.to_owned());
            continue;
        }
        hide_next = argument.starts_with('-') && !argument.contains('=') && is_telling(argument);
        out.push(shorten(one(argument)));
    }
    out
}

/// Redacts a command line given as one string (Docker's `Command`).
pub fn command(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').take(256).collect();
    arguments(&words).join(" ")
}

fn one(argument: &str) -> String {
    let lower = argument.to_ascii_lowercase();
    for marker in ["bearer ", "basic "] {
        if let Some(at) = lower
            .find(marker)
            .filter(|_| lower.contains("authorization"))
        {
            let keep = at + marker.len();
            return format!("{}{REDACTED}", argument.get(..keep).unwrap_or(""));
        }
    }
    if argument.contains(char::is_whitespace) {
        // A shell script given as one argument: each word of it is looked at.
        let words: Vec<&str> = argument.split(char::is_whitespace).take(256).collect();
        return arguments(&words).join(" ");
    }
    if let Some((name, value)) = argument.split_once(['=']) {
        if is_telling(name) && !value.is_empty() {
            return format!("{name}={REDACTED}");
        }
        return format!("{name}={}", url(value));
    }
    if let Some((name, value)) = argument.split_once(':')
        && is_telling(name)
        && !value.is_empty()
        && !value.starts_with("//")
    {
        return format!("{name}:{REDACTED}");
    }
    // A JSON web token is a secret wherever it stands.
    if argument.starts_with("eyJ") && argument.matches('.').count() == 2 {
        return REDACTED.to_owned();
    }
    url(argument)
}

fn url(text: &str) -> String {
    let Some(scheme) = text.find("://") else {
        return text.to_owned();
    };
    let rest = &text[scheme + 3..];
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let Some(at) = authority.rfind('@') else {
        return text.to_owned();
    };
    let Some(colon) = authority[..at].find(':') else {
        return text.to_owned();
    };
    format!(
        "{}{}:{REDACTED}{}",
        &text[..scheme + 3],
        &authority[..colon],
        &rest[at..]
    )
}

fn is_telling(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // A file's name is not its content.
    if name.ends_with("file") || name.ends_with("path") || name.ends_with("dir") {
        return false;
    }
    TELLING.iter().any(|word| name.contains(word)) || name.trim_start_matches('-') == "pass"
}

fn shorten(mut text: String) -> String {
    if text.len() > MAX_ARGUMENT_BYTES {
        let mut cut = MAX_ARGUMENT_BYTES;
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        text.truncate(cut);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn secrets_in_arguments_are_hidden() {
        let given = [
            "app",
            "--password",
            "hunter2",
            "--db-password=hunter2",
            "API_TOKEN=hunter2",
            "postgres://user:hunter2@db/x",
            "-H",
            "Authorization: Bearer hunter2",
            "--url=https://u:hunter2@h:1/p?q",
            "sh -c 'login --secret hunter2'",
            "eyJhunter2.eyJ.x",
        ];
        let shown = arguments(&given).join("\n");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("postgres://user:[redacted]@db/x"), "{shown}");
        assert!(shown.contains("https://u:[redacted]@h:1/p?q"), "{shown}");
    }

    #[test]
    fn what_is_no_secret_stays() {
        let given = [
            "nginx",
            "-g",
            "daemon off;",
            "--token-file=/run/t",
            "--tokenizer",
            "x=y",
        ];
        let mut expected: Vec<String> = given.iter().map(ToString::to_string).collect();
        assert_eq!(arguments(&given[..4]), expected[..4]);
        expected.truncate(4);
        assert_eq!(command("/bin/sh -c true"), "/bin/sh -c true");
    }

    proptest! {
        #[test]
        fn any_arguments_are_bounded_and_as_many(given in proptest::collection::vec(".{0,60}", 0..20)) {
            prop_assert_eq!(arguments(&given).len(), given.len());
        }
    }
}
