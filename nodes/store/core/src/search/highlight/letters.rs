//! Unicode's classes of letters, as far as boundaries of sentences and words need them.
//!
//! Not here: what a class means to a sentence or a word (`breaks`).

use std::sync::LazyLock;

use regex::Regex;

/// What a letter is in Unicode, as far as the rules tell letters apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum General {
    Lower,
    Letter,
    SpacingMark,
    Mark,
    Number,
    Format,
    Control,
    LineEnd,
    Space,
    Open,
    Close,
    InitialQuote,
    FinalQuote,
    Dash,
    Currency,
    Other,
}

/// The class of a letter.
pub(super) fn general(letter: char) -> General {
    use General as G;
    if letter.is_ascii() {
        return match letter {
            'a'..='z' => G::Lower,
            'A'..='Z' => G::Letter,
            '0'..='9' => G::Number,
            ' ' => G::Space,
            '(' | '[' | '{' => G::Open,
            ')' | ']' | '}' => G::Close,
            '-' | '_' => G::Dash,
            '$' => G::Currency,
            letter if letter.is_ascii_control() => G::Control,
            _ => G::Other,
        };
    }
    // One class of `\p{..}` a group; the group that matched names the class.
    static CLASSES: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r"^(?:(\p{Ll})|(\p{L})|(\p{Mc})|(\p{M})|(\p{N})|(\p{Cf})|(\p{Cc})|([\p{Zl}\p{Zp}])|(\p{Zs})|(\p{Ps})|(\p{Pe})|(\p{Pi})|(\p{Pf})|([\p{Pd}\p{Pc}])|(\p{Sc}))$",
        )
        .ok()
    });
    const ORDER: [General; 15] = [
        G::Lower,
        G::Letter,
        G::SpacingMark,
        G::Mark,
        G::Number,
        G::Format,
        G::Control,
        G::LineEnd,
        G::Space,
        G::Open,
        G::Close,
        G::InitialQuote,
        G::FinalQuote,
        G::Dash,
        G::Currency,
    ];
    let mut bytes = [0; 4];
    let groups = CLASSES
        .as_ref()
        .and_then(|classes| classes.captures(letter.encode_utf8(&mut bytes)));
    let Some(groups) = groups else {
        return G::Other;
    };
    (0..ORDER.len())
        .find(|at| groups.get(at + 1).is_some())
        .map_or(G::Other, |at| ORDER[at])
}
