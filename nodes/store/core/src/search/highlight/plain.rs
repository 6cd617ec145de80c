//! Fragments of the `plain` kind: pieces of about equal length, the best of each value first.
//!
//! The score of a fragment is the sum of the factors of the different words in it. Invariant: a piece ends before a word,
//! and not within a phrase unless asked. Not here: which words are marked.

use std::collections::HashSet;

use super::marks::{Scored, Wanted};
use super::options::Options;
use super::text::{Content, append};
use crate::query::FieldInfo;

/// The fragments of the values of a field; none if nothing is marked and nothing is shown then.
pub(super) fn fragments(
    values: &[String],
    info: &FieldInfo,
    wanted: &Wanted,
    options: &Options,
) -> Vec<String> {
    let limit = options.fragments.unwrap_or(1);
    let mut found: Vec<(f32, String)> = Vec::new();
    let mut pieces = Pieces::default();
    for value in values {
        let content = Content::new(&[value]);
        let mut all = cut(
            &content,
            &wanted.scored(&content, info),
            options,
            &mut pieces,
        );
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        all.truncate(limit);
        found.extend(all.into_iter().filter(|(score, _)| *score > 0.0));
    }
    if options.by_score {
        // Whole numbers, as in OpenSearch.
        found.sort_by_key(|(score, _)| std::cmp::Reverse(score.round() as i64));
    }
    if options.fragments.is_some() || values.len() < 2 {
        found.truncate(limit);
    }
    if found.is_empty()
        && let Some(first) = values.first()
    {
        let content = Content::new(&[first]);
        let end = beginning(&content, info, options.no_match_size);
        return (end > 0)
            .then(|| content.slice(0..end).to_owned())
            .into_iter()
            .collect();
    }
    found.into_iter().map(|(_, text)| text).collect()
}

/// How much is shown of a text without a match: whole words.
fn beginning(content: &Content, info: &FieldInfo, size: usize) -> usize {
    let (mut end, mut over) = (0, size == 0);
    content.words(info, None, |_, place, _| {
        over = over || place.end > size;
        if !over {
            end = place.end;
            over = place.end == size;
        }
    });
    end
}

/// Where pieces end. What it waits for outlives a value, as in Lucene.
#[derive(Default)]
struct Pieces {
    number: usize,
    position: i64,
    wait: Option<i64>,
}

impl Pieces {
    fn start(&mut self) {
        self.number = 1;
        self.position = -1;
    }

    /// Whether a piece begins with this word, which is not the first.
    fn begins(&mut self, word: &Scored, length: usize, options: &Options) -> bool {
        let size = match (options.fragments, options.fragment_size) {
            (None, _) => return false,
            (_, size) => size.unwrap_or(0),
        };
        let long = word.place.end >= size.saturating_mul(self.number);
        if !options.split_phrases {
            // Counts from the second word on, one less than where it stands, as Lucene's does.
            self.position += 1;
            match self.wait {
                Some(until) if until <= self.position => self.wait = None,
                Some(_) => return false,
                None => {}
            }
            let position = self.position;
            let phrase = word
                .spans
                .iter()
                .find(|(start, _)| i64::from(*start) == position);
            if let Some((_, end)) = phrase {
                self.wait = Some(i64::from(*end) + 1);
            }
            if length - word.place.end < size / 2 {
                return false;
            }
        }
        self.number += usize::from(long);
        long
    }
}

/// The pieces of a text with their scores.
fn cut(
    content: &Content,
    words: &[Scored],
    options: &Options,
    pieces: &mut Pieces,
) -> Vec<(f32, String)> {
    pieces.start();
    let mut done: Vec<(f32, String)> = Vec::new();
    let (mut out, mut at, mut score) = (String::new(), 0, 0.0f32);
    let mut met: HashSet<&str> = HashSet::new();
    for (number, word) in words.iter().enumerate() {
        if number > 0 && pieces.begins(word, content.length(), options) {
            done.push((score, std::mem::take(&mut out)));
            score = 0.0;
            met.clear();
        }
        if word.score != 0.0 && met.insert(&word.word) {
            score += word.score;
        }
        if word.place.start > at {
            append(&mut out, content.slice(at..word.place.start), options.html);
        }
        let text = content.slice(word.place.clone());
        if word.score > 0.0 {
            out.push_str(&options.before);
            append(&mut out, text, options.html);
            out.push_str(&options.after);
        } else {
            append(&mut out, text, options.html);
        }
        at = at.max(word.place.end);
    }
    append(&mut out, content.slice(at..content.length()), options.html);
    done.push((score, out));
    done
}
