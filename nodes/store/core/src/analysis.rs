//! How text becomes terms: the analyzers that mappings may name.
//! Invariants: the same text gives the same terms when it is indexed and when it is asked for; positions ascend by one per
//! token; tokens are at most 255 characters, longer ones are cut into pieces. Not here: stop words, stemming, synonyms.

use std::borrow::Cow;

/// Longest token in characters, as Elasticsearch's default.
const TOKEN_LIMIT: usize = 255;

/// An analyzer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Analyzer {
    /// Unicode words in lower case.
    #[default]
    Standard,
    /// Runs of letters in lower case.
    Simple,
    /// Runs without white space, as they are.
    Whitespace,
    /// The whole text is one term.
    Keyword,
}

impl Analyzer {
    /// By its name in a mapping.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "standard" | "default" => Self::Standard,
            "simple" => Self::Simple,
            "whitespace" => Self::Whitespace,
            "keyword" => Self::Keyword,
            _ => return None,
        })
    }

    /// Visits the terms of a text with their byte range in it.
    pub fn each<'t>(
        self,
        text: &'t str,
        visit: &mut dyn FnMut(Cow<'t, str>, std::ops::Range<usize>),
    ) {
        match self {
            Self::Standard => words(text, &mut |from, to| limited(text, from, to, true, visit)),
            Self::Simple => {
                runs(text, char::is_alphabetic, &mut |from, to| {
                    limited(text, from, to, true, visit)
                });
            }
            Self::Whitespace => {
                runs(text, |letter| !is_space(letter), &mut |from, to| {
                    limited(text, from, to, false, visit);
                });
            }
            Self::Keyword => {
                visit(Cow::Borrowed(text), 0..text.len());
            }
        }
    }

    /// The terms of a text.
    #[must_use]
    pub fn terms(self, text: &str) -> Vec<String> {
        let mut terms = Vec::new();
        self.each(text, &mut |term, _| terms.push(term.into_owned()));
        terms
    }
}

/// What `_analyze` calls a token, by the token's text as it was sent: Lucene's words for what its standard tokenizer saw.
#[must_use]
pub fn token_type(analyzer: Analyzer, token: &str) -> &'static str {
    if analyzer != Analyzer::Standard {
        return "word";
    }
    let first = token.chars().next().unwrap_or_default();
    match class(first) {
        Class::Emoji => return "<EMOJI>",
        Class::Ideograph if matches!(first, '\u{3041}'..='\u{309f}') => return "<HIRAGANA>",
        Class::Ideograph => return "<IDEOGRAPHIC>",
        _ => {}
    }
    let all = |inside: fn(char) -> bool| {
        let mut letters = token.chars().filter(|letter| {
            matches!(
                class(*letter),
                Class::Letter | Class::Digit | Class::Katakana
            )
        });
        letters.all(inside)
    };
    if all(|letter| class(letter) == Class::Digit) {
        "<NUM>"
    } else if all(|letter| class(letter) == Class::Katakana) {
        "<KATAKANA>"
    } else if all(
        |letter| matches!(letter, '\u{1100}'..='\u{11ff}' | '\u{3130}'..='\u{318f}' | '\u{a960}'..='\u{a97f}' | '\u{ac00}'..='\u{d7ff}'),
    ) {
        "<HANGUL>"
    } else if all(
        |letter| matches!(letter, '\u{e01}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'),
    ) {
        "<SOUTHEAST_ASIAN>"
    } else {
        "<ALPHANUM>"
    }
}

/// Lower case as Lucene's filter does: character by character.
#[must_use]
pub fn lowercase(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Cow::Owned(text.to_ascii_lowercase());
        }
        return Cow::Borrowed(text);
    }
    if text.chars().all(|letter| !letter.is_uppercase()) {
        return Cow::Borrowed(text);
    }
    let lower = text.chars().map(|letter| {
        let mut mapped = letter.to_lowercase();
        match (mapped.next(), mapped.next()) {
            (Some(one), None) => one,
            // The one letter that Unicode lowers to two: Lucene keeps the first.
            (Some(one), Some(_)) => one,
            _ => letter,
        }
    });
    Cow::Owned(lower.collect())
}

fn limited<'t>(
    text: &'t str,
    from: usize,
    to: usize,
    lower: bool,
    visit: &mut dyn FnMut(Cow<'t, str>, std::ops::Range<usize>),
) {
    let mut emit = |from: usize, to: usize| {
        let token = &text[from..to];
        visit(
            if lower {
                lowercase(token)
            } else {
                Cow::Borrowed(token)
            },
            from..to,
        );
    };
    if to - from <= TOKEN_LIMIT {
        emit(from, to);
        return;
    }
    let mut start = from;
    for (count, (at, _)) in text[from..to].char_indices().enumerate() {
        if count > 0 && count % TOKEN_LIMIT == 0 {
            emit(start, from + at);
            start = from + at;
        }
    }
    emit(start, to);
}

fn runs(text: &str, inside: impl Fn(char) -> bool, visit: &mut dyn FnMut(usize, usize)) {
    let mut start = None;
    for (at, letter) in text.char_indices() {
        match (inside(letter), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                visit(from, at);
                start = None;
            }
            _ => {}
        }
    }
    if let Some(from) = start {
        visit(from, text.len());
    }
}

/// White space as Java sees it: spaces that do not break are none.
fn is_space(letter: char) -> bool {
    letter.is_whitespace() && !matches!(letter, '\u{a0}' | '\u{2007}' | '\u{202f}')
        || matches!(letter, '\u{1c}'..='\u{1f}')
}

/// What Unicode's word breaks (UAX 29) make of a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Digit,
    /// `_`: joins letters, digits and itself.
    Joiner,
    /// `.`, `'`: between two letters or between two digits.
    MidBoth,
    /// `:`: between two letters.
    MidLetter,
    /// `,`, `;`: between two digits.
    MidNumber,
    /// Combining marks: part of what stands before.
    Extend,
    /// Han, Hiragana: a word each.
    Ideograph,
    Katakana,
    /// A picture: a word each, with what joins it.
    Emoji,
    Other,
}

fn class(letter: char) -> Class {
    if letter.is_ascii() {
        return match letter {
            'a'..='z' | 'A'..='Z' => Class::Letter,
            '0'..='9' => Class::Digit,
            '_' => Class::Joiner,
            '.' | '\'' => Class::MidBoth,
            ':' => Class::MidLetter,
            ',' | ';' => Class::MidNumber,
            _ => Class::Other,
        };
    }
    match letter {
        '\u{2018}' | '\u{2019}' | '\u{2024}' | '\u{fe52}' | '\u{ff07}' | '\u{ff0e}' => {
            Class::MidBoth
        }
        '\u{b7}' | '\u{387}' | '\u{55f}' | '\u{5f4}' | '\u{2027}' | '\u{fe13}' | '\u{fe55}'
        | '\u{ff1a}' => Class::MidLetter,
        '\u{37e}' | '\u{589}' | '\u{60c}' | '\u{60d}' | '\u{66c}' | '\u{7f8}' | '\u{2044}'
        | '\u{ff0c}' => Class::MidNumber,
        '\u{203f}' | '\u{2040}' | '\u{2054}' | '\u{ff3f}' => Class::Joiner,
        '\u{300}'..='\u{36f}'
        | '\u{483}'..='\u{489}'
        | '\u{591}'..='\u{5bd}'
        | '\u{610}'..='\u{61a}'
        | '\u{64b}'..='\u{65f}'
        | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}'
        | '\u{ad}'
        | '\u{200c}'
        | '\u{200d}'
        | '\u{1f3fb}'..='\u{1f3ff}'
        | '\u{20d0}'..='\u{20ff}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{fe20}'..='\u{fe2f}' => Class::Extend,
        '\u{3041}'..='\u{309f}'
        | '\u{2e80}'..='\u{2fdf}'
        | '\u{3005}'
        | '\u{3007}'
        | '\u{3021}'..='\u{3029}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3fffd}' => Class::Ideograph,
        '\u{30a1}'..='\u{30fa}'
        | '\u{30fc}'..='\u{30ff}'
        | '\u{31f0}'..='\u{31ff}'
        | '\u{ff66}'..='\u{ff9d}' => Class::Katakana,
        '\u{231a}'
        | '\u{231b}'
        | '\u{2600}'..='\u{27bf}'
        | '\u{2b50}'
        | '\u{2b55}'
        | '\u{1f300}'..='\u{1faff}' => Class::Emoji,
        _ if letter.is_alphabetic() => Class::Letter,
        _ if letter.is_numeric() && letter.to_digit(36).is_none() && is_decimal(letter) => {
            Class::Digit
        }
        _ => Class::Other,
    }
}

/// Decimal digits of other scripts (superscripts and fractions are none).
fn is_decimal(letter: char) -> bool {
    matches!(letter, '\u{660}'..='\u{669}' | '\u{6f0}'..='\u{6f9}' | '\u{966}'..='\u{96f}' | '\u{9e6}'..='\u{9ef}'
        | '\u{e50}'..='\u{e59}' | '\u{ff10}'..='\u{ff19}')
}

fn words(text: &str, visit: &mut dyn FnMut(usize, usize)) {
    let bytes = text.as_bytes();
    let mut letters = text.char_indices().peekable();
    while let Some((start, letter)) = letters.next() {
        let first = class(letter);
        let (mut last, mut counts) = match first {
            Class::Letter | Class::Digit | Class::Katakana => (first, true),
            Class::Joiner => (first, false),
            Class::Ideograph | Class::Emoji => {
                let mut end = start + letter.len_utf8();
                let mut joins = false;
                while let Some((at, mark)) = letters.next_if(|(_, mark)| match class(*mark) {
                    Class::Extend => true,
                    Class::Emoji => joins,
                    _ => false,
                }) {
                    joins = mark == '\u{200d}';
                    end = at + mark.len_utf8();
                }
                visit(start, end);
                continue;
            }
            _ => continue,
        };
        let mut end = start + letter.len_utf8();
        while let Some(&(at, next)) = letters.peek() {
            let kind = class(next);
            let joined = match kind {
                Class::Extend => {
                    end = at + next.len_utf8();
                    letters.next();
                    continue;
                }
                Class::Letter | Class::Digit => last != Class::Katakana,
                Class::Katakana => matches!(last, Class::Katakana | Class::Joiner),
                Class::Joiner => true,
                Class::MidBoth | Class::MidLetter | Class::MidNumber => {
                    let after = text[at + next.len_utf8()..]
                        .chars()
                        .next()
                        .map_or(Class::Other, class);
                    match kind {
                        Class::MidBoth => {
                            last == after && matches!(after, Class::Letter | Class::Digit)
                        }
                        Class::MidLetter => last == Class::Letter && after == Class::Letter,
                        _ => last == Class::Digit && after == Class::Digit,
                    }
                }
                Class::Ideograph | Class::Emoji | Class::Other => false,
            };
            if !joined {
                break;
            }
            letters.next();
            end = at + next.len_utf8();
            if matches!(kind, Class::Letter | Class::Digit | Class::Katakana) {
                counts = true;
            }
            if matches!(
                kind,
                Class::Letter | Class::Digit | Class::Katakana | Class::Joiner
            ) {
                last = kind;
            }
        }
        debug_assert!(end <= bytes.len());
        if counts {
            visit(start, end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn standard(text: &str) -> String {
        Analyzer::Standard.terms(text).join("|")
    }

    #[test]
    fn words_are_those_of_unicode() {
        for (text, want) in [
            (
                "The 2 QUICK Brown-Foxes jumped!",
                "the|2|quick|brown|foxes|jumped",
            ),
            ("GET /a/b.html?x=1 10.0.0.1", "get|a|b.html|x|1|10.0.0.1"),
            (
                "it's 1,000.5 foo_bar a.1 x1.y2",
                "it's|1,000.5|foo_bar|a|1|x1|y2",
            ),
            ("key:value 12:30 a:1", "key:value|12|30|a|1"),
            ("日本 カタカナ", "日|本|カタカナ"),
            ("Übergröße naïve cafe\u{301}", "übergröße|naïve|cafe\u{301}"),
            ("__ _a_ ...", "_a_"),
            ("", ""),
        ] {
            assert_eq!(standard(text), want, "{text}");
        }
    }

    #[test]
    fn other_analyzers_split_their_way() {
        assert_eq!(Analyzer::Simple.terms("Ab1c-D"), ["ab", "c", "d"]);
        assert_eq!(Analyzer::Whitespace.terms(" A b-C "), ["A", "b-C"]);
        assert_eq!(Analyzer::Keyword.terms("A b"), ["A b"]);
    }

    #[test]
    fn tokens_have_lucenes_types() {
        let types = |analyzer: Analyzer, text: &str| {
            let mut types = Vec::new();
            analyzer.each(text, &mut |_, range| {
                types.push(token_type(analyzer, &text[range]));
            });
            types.join(" ")
        };
        for (text, want) in [
            (
                "a 1a é1 x:y _a 한a",
                "<ALPHANUM> <ALPHANUM> <ALPHANUM> <ALPHANUM> <ALPHANUM> <ALPHANUM>",
            ),
            (
                "12 3.5 12_3 1,000 ٣٤ ３４",
                "<NUM> <NUM> <NUM> <NUM> <NUM> <NUM>",
            ),
            (
                "日 ひ カタ 한국 ไทย 😀",
                "<IDEOGRAPHIC> <HIRAGANA> <KATAKANA> <HANGUL> <SOUTHEAST_ASIAN> <EMOJI>",
            ),
        ] {
            assert_eq!(types(Analyzer::Standard, text), want, "{text}");
        }
        assert_eq!(types(Analyzer::Whitespace, "a 1"), "word word");
    }

    #[test]
    fn long_tokens_are_cut() {
        let terms = Analyzer::Standard.terms(&"a".repeat(600));
        assert_eq!(
            terms.iter().map(String::len).collect::<Vec<_>>(),
            [255, 255, 90]
        );
    }

    proptest! {
        #[test]
        fn tokens_are_parts_of_the_text(text in ".{0,80}") {
            let mut end = 0;
            Analyzer::Standard.each(&text, &mut |token, range| {
                assert!(range.start >= end && !token.is_empty());
                assert_eq!(lowercase(&text[range.clone()]), token);
                end = range.end;
            });
        }
    }
}
