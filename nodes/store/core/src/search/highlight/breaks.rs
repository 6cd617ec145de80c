//! Where sentences and words end, as the platform of OpenSearch sees it (Java's `BreakIterator` for the root locale), for
//! fragments that end where OpenSearch's do.
//!
//! Offsets are UTF-16 units, because fragment sizes count those. Invariants: boundaries ascend strictly, the first is 0 and
//! the last the length. Both kinds are state machines that take the longest match; a match may end before what it looked
//! at. Not here: which boundaries a fragment takes (`unified`); words of the index (`analysis`).

use super::letters::{General, general};

/// Sentences of a text. Asked for the one around an offset, Java goes back to a place where it believes that a sentence
/// begins, and forward from the last answer: the same text has other boundaries when it is asked in another order.
pub(super) struct Sentences {
    units: Vec<Unit>,
    /// The last answer, as a number of units.
    known: Option<usize>,
    /// Where the sentence ends that begins at a unit; 0 where nobody asked. Without it and `ways` a long text with many
    /// found words would be read from its beginning for each.
    ends: Vec<u32>,
    /// In which state the way back passed a unit and where it led.
    ways: Vec<Option<(Back, u32)>>,
    /// The last place that was gone back to, and a boundary that was reached from there.
    walked: (usize, usize),
}

impl Sentences {
    pub(super) fn new(text: &str) -> Self {
        Self {
            units: units(text),
            known: None,
            ends: Vec::new(),
            ways: Vec::new(),
            walked: (0, 0),
        }
    }

    /// A boundary up to `limit` from which the way forward is that from the place before a unit.
    fn behind(&mut self, unit: usize, limit: usize) -> usize {
        let place = self.sync(unit);
        let mut at = match self.walked {
            (known, reached) if known == place && reached <= limit => reached,
            _ => place,
        };
        while let Some(next) = self.next(at).filter(|next| *next <= limit) {
            at = next;
        }
        self.walked = (place, at);
        at
    }

    /// The last boundary before an offset.
    pub(super) fn preceding(&mut self, offset: usize) -> Option<usize> {
        let start = self.unit_at(offset);
        if start == 0 {
            return None;
        }
        let mut last = match self.known.filter(|known| *known < start) {
            Some(known) => known,
            None => self.behind(start - 1, start - 1),
        };
        let mut result = Some(last);
        while let Some(at) = result.filter(|at| *at < start) {
            last = at;
            result = self.next(at);
        }
        self.known = Some(last);
        Some(self.offset(last))
    }

    /// The first boundary after an offset.
    pub(super) fn following(&mut self, offset: usize) -> Option<usize> {
        let start = self.unit_at(offset);
        let mut result = match self.known.filter(|known| *known < start) {
            _ if start == 0 => Some(0),
            Some(known) => Some(known),
            None => Some(self.behind(start, start)),
        };
        while let Some(at) = result.filter(|at| *at <= start) {
            result = self.next(at);
        }
        self.known = result;
        result.map(|at| self.offset(at))
    }

    fn next(&mut self, at: usize) -> Option<usize> {
        if at >= self.units.len() {
            return None;
        }
        if self.ends.is_empty() {
            self.ends = vec![0; self.units.len()];
        }
        if self.ends[at] == 0 {
            self.ends[at] = (at + next_sentence(&self.units[at..]).max(1)) as u32;
        }
        Some(self.ends[at] as usize)
    }

    /// A place before a unit from which sentences can be told.
    fn sync(&mut self, unit: usize) -> usize {
        let mut at = unit;
        if at >= self.units.len() {
            return at;
        }
        if self.ways.is_empty() {
            self.ways = vec![None; self.units.len()];
        }
        let mut passed = Vec::new();
        let (mut state, mut category) = (Back::Begin, Part::Comma);
        let found = loop {
            let before = category;
            category = part(self.units[at].letter);
            if category != Part::Ignored {
                state = state.step(category);
            }
            // From here on another way went as this one would; marks may have been skipped to get here.
            if category != Part::Ignored
                && state != Back::Safe
                && let Some((known, found)) = self.ways[at]
                && known == state
            {
                break found as usize;
            }
            passed.push((at, state, category));
            if at == 0 {
                break 0;
            }
            at -= 1;
            if state == Back::Safe {
                break at + if before == Part::Ignored { 1 } else { 2 };
            }
        };
        for (at, state, category) in passed {
            if category != Part::Ignored && state != Back::Safe {
                self.ways[at] = Some((state, found as u32));
            }
        }
        found
    }

    /// The unit that begins at an offset or spans it.
    fn unit_at(&self, offset: usize) -> usize {
        self.units
            .partition_point(|unit| unit.end as usize <= offset)
    }

    fn offset(&self, unit: usize) -> usize {
        unit.checked_sub(1)
            .map_or(0, |last| self.units[last].end as usize)
    }
}

/// Boundaries of words; white space and signs are words of their own.
pub(super) fn words(text: &str) -> Vec<usize> {
    let units = units(text);
    let mut found = vec![0];
    let mut at = 0;
    while at < units.len() {
        at += next_word(&units[at..]);
        found.push(units[at - 1].end as usize);
    }
    found
}

/// A character and where it ends.
struct Unit {
    letter: char,
    end: u32,
}

fn units(text: &str) -> Vec<Unit> {
    let mut end = 0;
    text.chars()
        .map(|letter| {
            end += letter.len_utf16() as u32;
            Unit { letter, end }
        })
        .collect()
}

/// What a letter is to a sentence.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Belongs to what stands before it.
    Ignored,
    Comma,
    Paragraph,
    /// May end a sentence.
    Period,
    /// Opens and closes.
    Quote,
    /// Ends a sentence.
    Term,
    Lower,
    Letter,
    Danda,
    /// May begin a sentence though it is no letter.
    Start,
    Digit,
    Close,
    Open,
    Space,
}

fn part(letter: char) -> Part {
    match letter {
        ',' => Part::Comma,
        '\u{2029}' => Part::Paragraph,
        '.' | '\u{ff0e}' => Part::Period,
        '"' | '\'' => Part::Quote,
        '!' | '?' | '\u{3002}' | '\u{ff01}' | '\u{ff1f}' => Part::Term,
        '\u{964}' | '\u{965}' => Part::Danda,
        '\t' | '\r' | '\u{c}' | '\n' | '\u{2028}' => Part::Space,
        _ => match general(letter) {
            General::Lower => Part::Lower,
            General::Letter => Part::Letter,
            General::Mark | General::Format => Part::Ignored,
            General::Number => Part::Digit,
            General::Space => Part::Space,
            General::Open | General::InitialQuote => Part::Open,
            General::Close | General::FinalQuote => Part::Close,
            _ => Part::Start,
        },
    }
}

/// Where a sentence stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sentence {
    Running,
    /// After a period and what closes.
    Period,
    /// After a quote behind a period, which may close or open.
    PeriodQuote,
    /// After one space behind that; more of them.
    Spaced,
    SpacedMore,
    /// After signs behind a period that may open the next sentence; behind more than one space nothing else may follow.
    Opening,
    OpeningOnly,
    /// After a sign that ends a sentence and what closes; the space behind it.
    Term,
    TermSpaced,
    Danda,
    /// Over, with this letter.
    Ended,
    /// Over before what might have opened the next one.
    EndedBefore,
    /// No sentence goes on like that: it ended where it last could.
    Stuck,
}

impl Sentence {
    fn step(self, part: Part) -> Self {
        use Part as P;
        use Sentence as S;
        match (self, part) {
            (S::Term, P::Period | P::Quote | P::Term | P::Close) => S::Term,
            (S::Term | S::TermSpaced, P::Space) => S::TermSpaced,
            (S::Term | S::TermSpaced, P::Paragraph) => S::Ended,
            (S::Danda, P::Space) => S::Danda,
            (S::Term | S::TermSpaced | S::Danda, _) => S::Stuck,
            (S::OpeningOnly, P::Quote | P::Danda | P::Start | P::Open) => S::Opening,
            (S::OpeningOnly, P::Letter | P::Lower) => S::EndedBefore,
            (S::OpeningOnly, _) => S::Stuck,
            (_, P::Paragraph) => S::Ended,
            (_, P::Term) => S::Term,
            (_, P::Period) => S::Period,
            (S::Running, P::Danda) => S::Danda,
            (S::Period | S::PeriodQuote, P::Quote) => S::PeriodQuote,
            (S::Period | S::PeriodQuote, P::Close) => S::Period,
            (S::Period | S::PeriodQuote, P::Space) => S::Spaced,
            (S::Spaced | S::SpacedMore, P::Space) => S::SpacedMore,
            (S::PeriodQuote | S::SpacedMore, P::Danda | P::Start | P::Open)
            | (S::SpacedMore, P::Quote) => S::OpeningOnly,
            (S::Period | S::Spaced | S::Opening, P::Danda | P::Start | P::Open)
            | (S::Spaced | S::Opening, P::Quote) => S::Opening,
            (S::PeriodQuote | S::SpacedMore | S::Opening, P::Letter | P::Lower)
            | (S::Spaced, P::Letter) => S::EndedBefore,
            _ => S::Running,
        }
    }

    /// Whether the next sentence may begin here if what follows says so.
    fn may_end_here(self) -> bool {
        matches!(
            self,
            Self::Period | Self::PeriodQuote | Self::Spaced | Self::SpacedMore
        )
    }

    /// Whether a sentence that goes no further ends here.
    fn ends(self) -> bool {
        matches!(
            self,
            Self::Running | Self::Term | Self::TermSpaced | Self::Danda | Self::Ended
        )
    }
}

fn next_sentence(units: &[Unit]) -> usize {
    let (mut state, mut result, mut before) = (Sentence::Running, 1, 0);
    for (at, unit) in units.iter().enumerate() {
        let part = part(unit.letter);
        if part != Part::Ignored {
            state = state.step(part);
        }
        match state {
            Sentence::EndedBefore => return before.max(1),
            Sentence::Stuck => return result,
            state if state.may_end_here() => before = at + 1,
            state if state.ends() => result = at + 1,
            _ => {}
        }
        if state == Sentence::Ended {
            // Marks that follow still belong to it.
            let marks = units[at + 1..]
                .iter()
                .take_while(|unit| self::part(unit.letter) == Part::Ignored);
            return at + 1 + marks.count();
        }
    }
    if before == units.len() {
        before
    } else {
        result
    }
}

/// Where the way back to a place stands from which sentences can be told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Back {
    Begin,
    /// After letters and what opens; after anything else.
    Letters,
    Others,
    /// After small letters and digits, which a sign that ends a sentence may precede: closed, spaced.
    Small,
    SmallClosed,
    SmallSpaced,
    /// After what may begin a sentence, which a period may precede too.
    Start,
    StartClosed,
    StartSpaced,
    /// The sign is found; the boundary follows it.
    Sign,
    Safe,
}

impl Back {
    fn step(self, part: Part) -> Self {
        use Back as B;
        use Part as P;
        match (self, part) {
            (B::Sign | B::Safe, _)
            | (B::Letters | B::Others, P::Paragraph)
            | (B::Letters, P::Term) => B::Safe,
            (_, P::Lower | P::Digit) => B::Small,
            (_, P::Danda | P::Start) => B::Start,
            (B::Begin | B::Letters | B::Others, P::Comma | P::Letter | P::Open) => B::Letters,
            (B::Begin | B::Letters | B::Others, _) => B::Others,
            (_, P::Term) | (B::Start | B::StartClosed | B::StartSpaced, P::Period) => B::Sign,
            (B::Small, P::Quote | P::Open) => B::Small,
            (B::Start, P::Quote | P::Open) => B::Start,
            (_, P::Comma | P::Letter | P::Open) => B::Letters,
            (B::Small, P::Space) => B::SmallSpaced,
            (B::SmallSpaced, P::Space) => B::SmallSpaced,
            (B::Start | B::StartSpaced, P::Space) => B::StartSpaced,
            (B::Small | B::SmallSpaced | B::SmallClosed, P::Close)
            | (B::SmallSpaced | B::SmallClosed, P::Quote) => B::SmallClosed,
            (B::Start | B::StartSpaced | B::StartClosed, P::Close)
            | (B::StartSpaced | B::StartClosed, P::Quote) => B::StartClosed,
            _ => B::Others,
        }
    }
}

/// What a letter is to a word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// Belongs to what stands before it.
    Ignored,
    Control,
    /// A voicing mark of Japanese that combines; one that stands alone.
    Voicing,
    Sounding,
    Period,
    Kanji,
    Letter,
    Danda,
    /// Signs before and after a number.
    BeforeNumber,
    AfterNumber,
    Return,
    Quote,
    Mark,
    Digit,
    Space,
    Hiragana,
    Katakana,
    LineEnd,
    SoftHyphen,
    /// Joins digits.
    NumberComma,
    /// Joins letters.
    Joiner,
    Sign,
}

fn piece(letter: char) -> Piece {
    match letter {
        '\u{3099}' | '\u{309a}' => Piece::Voicing,
        '\u{309b}' | '\u{309c}' | '\u{30fb}' | '\u{30fc}' => Piece::Sounding,
        '.' => Piece::Period,
        '\u{3005}' | '\u{4e00}'..='\u{9fa5}' | '\u{f900}'..='\u{fa2d}' => Piece::Kanji,
        '\u{964}' | '\u{965}' => Piece::Danda,
        '%' | '&' | '\u{a2}' | '\u{66a}' | '\u{2030}' | '\u{2031}' => Piece::AfterNumber,
        '\r' => Piece::Return,
        '"' | '\'' => Piece::Quote,
        '#' => Piece::BeforeNumber,
        '\u{3041}'..='\u{3094}' | '\u{309d}' | '\u{309e}' => Piece::Hiragana,
        '\u{30a1}'..='\u{30fa}' | '\u{30fd}' | '\u{30fe}' => Piece::Katakana,
        '\n' | '\u{c}' | '\u{2028}' | '\u{2029}' => Piece::LineEnd,
        '\t' => Piece::Space,
        '\u{ad}' => Piece::SoftHyphen,
        ',' | '\u{66b}' => Piece::NumberComma,
        '\u{2027}' => Piece::Joiner,
        _ => match general(letter) {
            General::Lower | General::Letter | General::SpacingMark => Piece::Letter,
            General::Mark => Piece::Mark,
            General::Number => Piece::Digit,
            General::Space => Piece::Space,
            General::Currency => Piece::BeforeNumber,
            General::Dash => Piece::Joiner,
            General::Format => Piece::Ignored,
            General::Control => Piece::Control,
            _ => Piece::Sign,
        },
    }
}

/// Where a word stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Begin,
    Letters,
    /// After a joiner that must be followed by a letter; by a digit.
    LettersJoined,
    Danda,
    Digits,
    DigitsJoined,
    Spaces,
    Return,
    KatakanaRun,
    HiraganaRun,
    Voicings,
    KanjiRun,
    BeforeNumber,
    FirstKanji,
    Sign,
    Sounding,
    Hiragana,
    Katakana,
    Ended,
    Stuck,
}

impl Word {
    fn step(self, piece: Piece) -> Self {
        use Piece as P;
        use Word as W;
        match (self, piece) {
            (W::Begin, P::Voicing) => W::Voicings,
            (W::Begin, P::Period | P::BeforeNumber) => W::BeforeNumber,
            (W::Begin, P::Kanji) => W::FirstKanji,
            (W::Begin | W::Letters | W::LettersJoined | W::Digits, P::Letter) => W::Letters,
            (W::Begin, P::Return) => W::Return,
            (W::Begin, P::Sounding) => W::Sounding,
            (W::Begin, P::Space) | (W::Spaces, P::Space | P::Voicing | P::Mark) => W::Spaces,
            (W::Begin, P::Hiragana) => W::Hiragana,
            (W::Begin, P::Katakana) => W::Katakana,
            (
                W::Begin | W::Letters | W::Danda | W::Digits | W::DigitsJoined | W::BeforeNumber,
                P::Digit,
            ) => W::Digits,
            (W::Begin, P::Control | P::Mark | P::LineEnd | P::SoftHyphen)
            | (W::Digits, P::AfterNumber)
            | (W::Spaces | W::Return, P::LineEnd) => W::Ended,
            (W::Begin, _) => W::Sign,
            (W::Letters, P::Voicing | P::Mark) => W::Letters,
            (W::Letters, P::Period | P::Quote | P::SoftHyphen | P::Joiner) => W::LettersJoined,
            (W::Letters, P::Danda) => W::Danda,
            (W::Digits, P::Voicing | P::Mark) => W::Digits,
            (W::Digits, P::Period | P::Quote | P::NumberComma) => W::DigitsJoined,
            (W::Spaces, P::Return) => W::Return,
            (W::KatakanaRun, P::Voicing | P::Sounding | P::Katakana) => W::KatakanaRun,
            (W::HiraganaRun, P::Voicing | P::Sounding | P::Hiragana) => W::HiraganaRun,
            (W::Voicings, P::Voicing | P::Sounding) | (W::Sounding, P::Sounding) => W::Voicings,
            (W::Voicings | W::Sounding, P::Hiragana) => W::HiraganaRun,
            (W::Voicings | W::Sounding, P::Katakana) => W::KatakanaRun,
            (W::FirstKanji | W::KanjiRun, P::Kanji) => W::KanjiRun,
            (W::Sounding, P::Voicing) => W::Sounding,
            (W::Hiragana, P::Voicing) => W::Hiragana,
            (W::Hiragana, P::Sounding | P::Hiragana) => W::HiraganaRun,
            (W::Katakana, P::Voicing) => W::Katakana,
            (W::Katakana, P::Sounding | P::Katakana) => W::KatakanaRun,
            (W::BeforeNumber | W::FirstKanji | W::Sign, P::Voicing | P::Mark)
            | (W::Sounding | W::Hiragana | W::Katakana, P::Mark) => W::Sign,
            _ => W::Stuck,
        }
    }

    fn ends(self) -> bool {
        !matches!(self, Self::LettersJoined | Self::DigitsJoined | Self::Stuck)
    }
}

fn next_word(units: &[Unit]) -> usize {
    let (mut state, mut result) = (Word::Begin, 1);
    for (at, unit) in units.iter().enumerate() {
        let piece = piece(unit.letter);
        if piece != Piece::Ignored {
            state = state.step(piece);
        }
        if state == Word::Stuck {
            break;
        }
        if state.ends() {
            result = at + 1;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Texts with what Java 25 gave for them: code points, sentences in order, words in order, and the sentences around
    /// ascending offsets as `offset:preceding:following`.
    const RECORDED: &str = include_str!("breaks_recorded.txt");

    fn numbers(text: &str, by: char) -> Vec<usize> {
        text.split(by).map(|n| n.trim().parse().unwrap()).collect()
    }

    fn in_order(text: &str) -> Vec<usize> {
        let mut sentences = Sentences::new(text);
        let ends: Vec<usize> = std::iter::successors(Some(0), |at| sentences.next(*at)).collect();
        ends.into_iter().map(|at| sentences.offset(at)).collect()
    }

    #[test]
    fn boundaries_are_those_that_java_gave() {
        let mut compared = 0;
        for line in RECORDED.lines().filter(|line| !line.starts_with('#')) {
            let parts: Vec<&str> = line.split('|').collect();
            let text: String = parts[0]
                .split_whitespace()
                .map(|hex| char::from_u32(u32::from_str_radix(hex, 16).unwrap()).unwrap())
                .collect();
            assert_eq!(in_order(&text), numbers(parts[1], ','), "{text:?}");
            assert_eq!(words(&text), numbers(parts[2], ','), "words of {text:?}");
            let mut sentences = Sentences::new(&text);
            for asked in parts[3].split_whitespace() {
                let asked = numbers(asked, ':');
                assert_eq!(
                    (
                        sentences.preceding(asked[0] + 1),
                        sentences.following(asked[0])
                    ),
                    (Some(asked[1]), Some(asked[2])),
                    "around {} of {text:?}",
                    asked[0]
                );
            }
            compared += 1;
        }
        assert!(compared > 200, "only {compared} texts");
    }

    proptest! {
        #[test]
        fn boundaries_ascend_to_the_end(text in "\\PC{1,60}|[a-zA-Z0-9 .!?\"'()\u{964}\u{2029}\u{301}-]{1,60}", at in 0..60usize) {
            let length = text.encode_utf16().count();
            for found in [in_order(&text), words(&text)] {
                prop_assert_eq!(found[0], 0);
                prop_assert_eq!(found[found.len() - 1], length);
                prop_assert!(found.windows(2).all(|pair| pair[0] < pair[1]));
            }
            let at = at % length;
            let mut sentences = Sentences::new(&text);
            prop_assert!(sentences.preceding(at + 1).is_none_or(|before| before <= at));
            prop_assert!(sentences.following(at).is_some_and(|after| after > at && after <= length));
        }
    }
}
