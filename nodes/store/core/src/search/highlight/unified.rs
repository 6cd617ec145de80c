//! Fragments of the `unified` kind: sentences around the marked words, the best of them in the order of the text.
//!
//! The score of a fragment is Lucene's `PassageScorer` (BM25 within the text: k1 1.2, b 0.75, a typical sentence of 87
//! units, fragments near the beginning before others), in its precision, because it decides which fragments are shown.
//! Not here: which words are marked.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use super::breaks::{Sentences, words};
use super::marks::{Mark, Wanted};
use super::options::{Options, Scanner};
use super::text::{Content, SEPARATOR, append};
use crate::query::{FieldInfo, FieldKind};

const K1: f32 = 1.2;
const B: f32 = 0.75;
const PIVOT: f32 = 87.0;

/// The fragments of a text; none if nothing is marked and nothing is shown then.
pub(super) fn fragments(
    content: &Content,
    info: &FieldInfo,
    wanted: &Wanted,
    options: &Options,
) -> Vec<String> {
    let marks = wanted.marks(content, info, options.offset_limit);
    let mut passages = best(content, info, options, &marks);
    if passages.is_empty()
        && let Some(range) = beginning(content, options.no_match_size)
    {
        passages.push(Passage {
            range,
            marks: &[],
            score: 0.0,
        });
    }
    let mut shown: Vec<(f32, String)> = passages
        .iter()
        .map(|passage| (passage.score, passage.render(content, options)))
        .filter(|(_, text)| text.chars().any(|letter| !letter.is_whitespace()))
        .collect();
    if options.by_score {
        shown.sort_by(|a, b| b.0.total_cmp(&a.0));
    }
    shown.into_iter().map(|(_, text)| text).collect()
}

struct Passage<'m> {
    range: Range<usize>,
    marks: &'m [Mark],
    score: f32,
}

/// A passage among the best: the worst is the smallest.
struct Ranked<'m>(Passage<'m>);

impl PartialEq for Ranked<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Ranked<'_> {}
impl PartialOrd for Ranked<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Ranked<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let (a, b) = (&self.0, &other.0);
        a.score
            .total_cmp(&b.score)
            .then(a.range.start.cmp(&b.range.start))
    }
}

fn best<'m>(
    content: &Content,
    info: &FieldInfo,
    options: &Options,
    marks: &'m [Mark],
) -> Vec<Passage<'m>> {
    let limit = options.fragments.unwrap_or(usize::MAX);
    let mut kept: BinaryHeap<Reverse<Ranked<'m>>> = BinaryHeap::new();
    let mut keep = |passage: Passage<'m>| {
        let full = kept.len() >= limit;
        if full
            && kept
                .peek()
                .is_some_and(|worst| passage.score < worst.0.0.score)
        {
            return;
        }
        kept.push(Reverse(Ranked(passage)));
        if kept.len() > limit {
            kept.pop();
        }
    };
    let mut pieces = Pieces::new(content, info, options);
    let mut at = 0;
    while at < marks.len() {
        let range = pieces.around(marks[at].place.start);
        let inside = marks[at..]
            .iter()
            .take_while(|mark| mark.place.start < range.end)
            .count()
            .max(1);
        let inside = &marks[at..at + inside];
        at += inside.len();
        let score = score(&range, inside, content.length());
        keep(Passage {
            range,
            marks: inside,
            score,
        });
    }
    let mut passages: Vec<Passage<'m>> = kept.into_iter().map(|ranked| ranked.0.0).collect();
    passages.sort_by_key(|passage| passage.range.start);
    passages
}

fn score(range: &Range<usize>, marks: &[Mark], length: usize) -> f32 {
    // Terms in the order in which they are met, how often each, and how often in the whole text.
    let mut terms: Vec<(usize, u32, i32)> = Vec::new();
    for mark in marks {
        match terms.iter_mut().find(|(term, ..)| *term == mark.term) {
            Some(known) => known.1 += 1,
            None => terms.push((mark.term, 1, mark.count)),
        }
    }
    let documents = 1.0 + length as f32 / PIVOT;
    let norm = K1 * ((1.0 - B) + B * ((range.end - range.start) as f32 / PIVOT));
    let mut sum = 0.0f64;
    for (_, here, count) in terms {
        let here = here as f32;
        let ratio = (f64::from(documents) + 0.5) / (f64::from(count) + 0.5);
        let weight = (K1 + 1.0) * (1.0 + ratio).ln() as f32;
        sum += f64::from(here / (here + norm) * weight);
    }
    let place = 1.0 + 1.0 / f64::from(PIVOT + range.start as f32).ln() as f32;
    (sum * f64::from(place)) as f32
}

/// What is shown of a text without a match.
fn beginning(content: &Content, size: usize) -> Option<Range<usize>> {
    if size == 0 {
        return None;
    }
    let text = content.text();
    let start = text
        .chars()
        .take_while(|letter| *letter == SEPARATOR)
        .count();
    if start >= content.length() {
        return None;
    }
    let mut end = content.value_at(start).end;
    if start + size < end {
        let boundaries = words(text);
        let after = boundaries.partition_point(|at| *at <= start + size);
        end = boundaries.get(after).copied().unwrap_or(content.length());
    }
    Some(start..end)
}

impl Passage<'_> {
    fn render(&self, content: &Content, options: &Options) -> String {
        let mut out = String::new();
        let mut at = self.range.start;
        for mark in self.marks {
            let place = &mark.place;
            if place.start > at {
                append(&mut out, content.slice(at..place.start), options.html);
            }
            if place.end > at {
                out.push_str(&options.before);
                append(
                    &mut out,
                    content.slice(at.max(place.start)..place.end),
                    options.html,
                );
                out.push_str(&options.after);
                at = place.end;
            }
        }
        append(
            &mut out,
            content.slice(at..at.max(self.range.end)),
            options.html,
        );
        out.trim_end_matches(SEPARATOR)
            .trim_matches(|letter| letter <= ' ')
            .to_owned()
    }
}

/// Cuts a text into pieces around words, asked for in the order of the text.
struct Pieces<'c> {
    content: &'c Content,
    cut: Cut,
    /// The value that is being cut, and how.
    value: Option<(Range<usize>, Scan<'c>)>,
}

#[derive(Clone, Copy)]
enum Cut {
    Values,
    Words,
    Sentences,
    /// Sentences put together or split so that a piece has about so many units.
    Bounded(usize),
}

enum Scan<'c> {
    Whole,
    Words(Vec<usize>),
    Sentences(Sentences),
    Bounded(Box<Bounded<'c>>),
}

impl<'c> Pieces<'c> {
    fn new(content: &'c Content, info: &FieldInfo, options: &Options) -> Self {
        let cut = match (options.fragments, options.scanner, options.fragment_size) {
            _ if info.kind != FieldKind::Text => Cut::Values,
            (None, ..) => Cut::Values,
            (_, Scanner::Word, _) => Cut::Words,
            (_, Scanner::Sentence, None) => Cut::Sentences,
            (_, Scanner::Sentence, Some(size)) => Cut::Bounded(size),
        };
        Self {
            content,
            cut,
            value: None,
        }
    }

    /// The piece around the word at an offset.
    fn around(&mut self, offset: usize) -> Range<usize> {
        let content: &'c Content = self.content;
        let value = content.value_at(offset);
        if self.value.as_ref().is_none_or(|(known, _)| *known != value) {
            let text = content.slice(value.clone());
            let scan = match self.cut {
                Cut::Values => Scan::Whole,
                Cut::Words => Scan::Words(words(text)),
                Cut::Sentences => Scan::Sentences(Sentences::new(text)),
                Cut::Bounded(size) => Scan::Bounded(Box::new(Bounded::new(text, size))),
            };
            self.value = Some((value.clone(), scan));
        }
        let (base, length) = (value.start, value.end - value.start);
        let at = offset - base;
        let local = match self.value.as_mut().map(|(_, scan)| scan) {
            None | Some(Scan::Whole) => 0..length,
            Some(Scan::Words(boundaries)) => {
                before(boundaries, at + 1)..after(boundaries, at).unwrap_or(length)
            }
            Some(Scan::Sentences(sentences)) => {
                let start = sentences.preceding(at + 1).unwrap_or(0);
                start..sentences.following(at).unwrap_or(length)
            }
            Some(Scan::Bounded(bounded)) => bounded.around(at, length),
        };
        base + local.start..base + local.end
    }
}

fn before(boundaries: &[usize], offset: usize) -> usize {
    let at = boundaries.partition_point(|boundary| *boundary < offset);
    at.checked_sub(1).map_or(0, |at| boundaries[at])
}

fn after(boundaries: &[usize], offset: usize) -> Option<usize> {
    let at = boundaries.partition_point(|boundary| *boundary <= offset);
    boundaries.get(at).copied()
}

/// Sentences that are put together up to a size, or split at words when one is longer.
struct Bounded<'c> {
    text: &'c str,
    sentences: Sentences,
    /// Made when a sentence must be split.
    words: Option<Vec<usize>>,
    size: usize,
    window: Option<Range<usize>>,
    inner: Range<usize>,
}

impl<'c> Bounded<'c> {
    fn new(text: &'c str, size: usize) -> Self {
        Self {
            text,
            sentences: Sentences::new(text),
            words: None,
            size,
            window: None,
            inner: 0..0,
        }
    }

    fn around(&mut self, at: usize, length: usize) -> Range<usize> {
        let offset = at + 1;
        let known = self.window.as_ref();
        let window = match known.filter(|window| offset > window.start && offset < window.end) {
            Some(window) => {
                self.inner = self.inner.end..window.end;
                window.clone()
            }
            None => {
                let start = self.sentences.preceding(offset).unwrap_or(0);
                let mut end = self.sentences.following(at).unwrap_or(length);
                while end - start < self.size {
                    match self.sentences.following(end) {
                        Some(next) if next - start <= self.size => end = next,
                        _ => break,
                    }
                }
                self.inner = start..end;
                start..end
            }
        };
        if self.inner.end - self.inner.start > self.size {
            let words = self.words.get_or_insert_with(|| words(self.text));
            // Too long: back from the word first, then on with what is left.
            if let Some(back) = offset.checked_sub(self.size)
                && back > self.inner.start
            {
                self.inner.start = self.inner.start.max(before(words, back));
            }
            let left = (self.size + self.inner.start).saturating_sub(offset);
            if offset + left < window.end {
                let end = after(words, offset + left).unwrap_or(length);
                self.inner.end = window.end.min(end);
            }
        }
        self.window = Some(window);
        self.inner.clone()
    }
}
